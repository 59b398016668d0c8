"""Whether a call may be made is looked at while its intent is being written, and counts once it has been."""

import asyncio
import gc

import pytest

from activities.attempts import plan_tool_call
from activities.journal_calls import AttemptName
from activities.requests import ToolRequest
from activities.segment_calls import Checks, Ongoing
from domain.effects import EffectClass, RetryClass
from domain.policy import PolicyRequest, PolicyVerdict
from domain.state import CallTool
from tests.activities.bench import RUN, TENANT
from tests.activities.segment_bench import TWO, Attempts, CrashError, read, reads, steps_called, tool
from tests.activities.test_segment_rivals import HeldJournal
from tests.activities.test_tool_calls import FakeBank, activities
from tests.domain.play import Play
from tests.fake_journal import FakeJournal
from tests.fake_tools import FakeTool

ALLOW = PolicyVerdict(effect="allow", reason="permitted")
DENY = PolicyVerdict(effect="deny", reason="forbidden")


class Decider:
    """Says the same of every call of a step, or never comes back, and notes which steps it was asked about."""

    def __init__(self, **verdicts: PolicyVerdict | Exception | None) -> None:
        self._verdicts = verdicts
        self.asked: list[str] = []
        self.given_up: list[str] = []

    async def decide(self, request: PolicyRequest) -> PolicyVerdict:
        """Answer, break, or wait for ever."""
        self.asked.append(request.step)
        verdict = self._verdicts.get(request.step, ALLOW)
        if isinstance(verdict, Exception):
            raise verdict
        if verdict is None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.given_up.append(request.step)
                raise
        return verdict or ALLOW


def held(decider: Decider, reader: FakeTool) -> tuple[Attempts, HeldJournal]:
    """Attempts whose journal waits before it settles a call and begins the next."""
    fake = FakeJournal.with_run(TENANT, RUN)
    journal = HeldJournal(fake, "advance")
    return Attempts(TWO, reader, journal=journal, fake=fake, policy=decider), journal


async def looked_at(decider: Decider, *steps: str) -> None:
    """Wait until these steps were looked at, and for what comes of it."""
    async with asyncio.timeout(5):
        while decider.asked != list(steps):
            await asyncio.sleep(0)
    for _ in range(5):
        await asyncio.sleep(0)


class TestCheck:
    async def test_goes_on_while_the_journal_writes(self) -> None:
        decider, reader = Decider(), tool({"n": 1})
        attempts, journal = held(decider, reader)
        running = asyncio.create_task(attempts.result())
        await journal.reached.wait()
        await looked_at(decider, "a", "b")
        assert steps_called(reader) == ["a"]
        journal.answers.set()
        assert len((await running).outcomes) == 2
        assert decider.asked == ["a", "b"]

    async def test_counts_after_the_intent(self) -> None:
        reader = tool({"n": 1})
        attempts = Attempts(TWO, reader, policy=Decider(b=DENY))
        result = await attempts.result()
        assert ([outcome.command for outcome in result.outcomes], result.stopped) == (["a#1/call"], "b#1/call")
        assert (await attempts.kinds())[-2:] == ["agent:tool:requested b", "agent:tool:failed b"]
        assert steps_called(reader) == ["a"]

    async def test_that_nobody_needs_any_more_is_ended(self) -> None:
        decider = Decider(b=None)
        attempts = Attempts(TWO, tool({"n": 1}), policy=decider)
        attempts.crash_at = ("after-intent", "b")
        with pytest.raises(CrashError):
            await attempts.attempt()
        assert decider.given_up == decider.asked[1:]

    async def test_that_failed_and_nobody_needs_is_not_told(self) -> None:
        told: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        checks = Checks(activities(FakeBank()))
        command = next(one for one in Play(reads(read("a"), read("b"))).last if isinstance(one, CallTool))
        request = ToolRequest(
            tool="no.such", version="1.0.0", arguments={}, effect_class=EffectClass.READ, retry_class=RetryClass.IDEMPOTENT
        )
        attempts = Attempts(TWO, tool())
        given = attempts.envelope(attempts.segment)
        call = Ongoing(command, given, request, plan_tool_call(given, request), AttemptName(1, "token", 1000))
        checks.begin(call)
        assert call.checking is not None
        await asyncio.wait({call.checking})
        await checks.aclose()
        del call
        gc.collect()
        assert told == []

    async def test_is_not_made_where_nothing_may_be_called(self) -> None:
        decider = Decider()
        assert (await Attempts(TWO, tool({"n": 1}), policy=decider).result(collect=True)).outcomes == []
        assert decider.asked == []
