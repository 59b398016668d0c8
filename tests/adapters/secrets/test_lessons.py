"""Workers learn a tenant's secrets with its first call, wait for that once, and go on learning beside later calls."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from adapters.secrets.lessons import EVERY_S, SecretLessons
from domain.errors import Unavailable
from tests.adapters.secrets.test_store import TENANT, Clock


class Teacher:
    """Reads when the test lets it."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.started = asyncio.Event()
        self.may_end = asyncio.Event()
        self.answers: list[list[str] | Unavailable] = []
        self.ended = asyncio.Event()

    async def learn(self, tenant: str) -> list[str]:
        """Answer as the test scripted it, and with no names after that."""
        self.begun.append(tenant)
        self.started.set()
        await self.may_end.wait()
        self.ended.set()
        answer = self.answers.pop(0) if self.answers else []
        if isinstance(answer, Unavailable):
            raise answer
        return answer


@pytest.fixture
def teacher() -> Teacher:
    """What learns."""
    return Teacher()


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


@pytest.fixture
async def lessons(teacher: Teacher, clock: Clock) -> AsyncGenerator[SecretLessons]:
    """Lessons that wait for as long as it takes."""
    made = SecretLessons(teacher.learn, now_s=clock, patience_s=3600)
    yield made
    await made.aclose()


class TestLessons:
    async def test_are_waited_for_the_first_time_by_every_call(self, lessons: SecretLessons, teacher: Teacher) -> None:
        calls = [asyncio.create_task(lessons.ready(TENANT)) for _ in range(3)]
        await teacher.started.wait()
        assert not any(call.done() for call in calls)
        teacher.may_end.set()
        await asyncio.gather(*calls)
        await lessons.ready(TENANT)
        assert teacher.begun == [TENANT]

    async def test_are_given_again_beside_the_calls(self, lessons: SecretLessons, teacher: Teacher, clock: Clock) -> None:
        teacher.may_end.set()
        await lessons.ready(TENANT)
        teacher.may_end.clear()
        teacher.ended.clear()
        clock.now_s += EVERY_S
        await lessons.ready(TENANT)
        await lessons.ready(TENANT)
        teacher.may_end.set()
        await teacher.ended.wait()
        assert teacher.begun == [TENANT, TENANT]

    async def test_are_of_one_tenant(self, lessons: SecretLessons, teacher: Teacher) -> None:
        teacher.may_end.set()
        await lessons.ready(TENANT)
        await lessons.ready("other")
        assert teacher.begun == [TENANT, "other"]

    async def test_that_hang_delay_calls_once(self, teacher: Teacher, clock: Clock) -> None:
        lessons = SecretLessons(teacher.learn, now_s=clock, patience_s=0.01)
        await lessons.ready(TENANT)
        clock.now_s += 0.02
        await lessons.ready(TENANT)
        assert teacher.begun == [TENANT]
        await lessons.aclose()

    async def test_that_fail_stop_no_call_and_are_given_again(
        self, lessons: SecretLessons, teacher: Teacher, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        teacher.may_end.set()
        teacher.answers += [Unavailable("the database is away"), ["BANK_TOKEN"]]
        await lessons.ready(TENANT)
        clock.now_s += EVERY_S
        await lessons.ready(TENANT)
        assert [record.getMessage() for record in caplog.records] == [
            "the secrets of the tenant acme are not known here for now: the database is away",
            "secrets of the tenant acme that cannot be read here nor struck out: BANK_TOKEN",
        ]
