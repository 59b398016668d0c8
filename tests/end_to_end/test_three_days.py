"""Three days of approvals, from a Friday over the weekend on which the clocks go forward to the Monday after it, in about a minute.

Everything is real but the time: Temporal skips it, workflow by workflow, and the gateway follows. The script is in `three_days/script.py`.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
import pytest_asyncio
from standardwebhooks import Webhook

from tests.end_to_end.three_days.clock import ZONE, WorldClock, spring_friday
from tests.end_to_end.three_days.doors import by_command_line
from tests.end_to_end.three_days.house import open_house
from tests.end_to_end.three_days.script import SCRIPT
from tests.end_to_end.three_days.story import Claim, Story

T = TypeVar("T")

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Story]:
    """The whole script, played."""
    friday = spring_friday(datetime.now(UTC).date())
    begins = WorldClock(datetime.now(UTC)).at(0, "09:00", since=friday)
    async with open_house(tmp_path_factory.mktemp("three-days"), begins=begins) as house:
        told = Story(house, friday)
        await told.register()
        for act in SCRIPT:
            await act(told)
        yield told


async def of_each(story: Story, look: Callable[[Claim], Awaitable[T]]) -> dict[str, T]:
    """Return the answer to one question about every claim, by the claim's name."""
    answers = await asyncio.gather(*(look(claim) for claim in story.claims.values()))
    return dict(zip(story.claims, answers, strict=True))


def check_audit(story: Story, claim: Claim, told: dict[str, Any]) -> None:  # Any: JSON that is here to be checked
    """Check what the audit says of a claim: decisions, the digest of the calls shown, and what ran, each with its proof."""
    decisions = [each for each in told["entries"] if each["kind"].startswith("human:")]
    assert all(each["proof"] for each in (*decisions, *told["ran"])), claim
    voted = [each for each in decisions if each["data"].get("verdict") in {"approve", "reject"}]
    assert tuple(sorted(story.house.people.name(each["principal"]) for each in voted)) == claim.by, claim
    assert [each["data"]["digest"] for each in voted[-1:]] in ([], [told["digest_of_calls"]]), claim
    amounts = {call["arguments"]["amount_micros"] for call in told["calls"]}
    assert amounts == {claim.amount if claim.paid is None else claim.paid}, claim
    assert [each["step"] for each in told["ran"]] == (["settle.reserve", "settle.pay"] if claim.paid else []), claim


class TestThreeDays:
    async def test_ask_fifty_times_through_every_channel(self, story: Story) -> None:
        assert len(story.claims) == 50
        channels = {claim.via for claim in story.claims.values() if claim.ends == "succeeded"}
        assert channels == {"rest", "client", "cli", "signal", "batch", "mail", "slack", "webhook"}
        shown = await story.house.people.clients["audra"].approvals.list(state="open", limit=100)
        assert [each.title for each in shown] == []

    async def test_end_every_run_as_the_script_says(self, story: Story) -> None:
        async def ending(claim: Claim) -> tuple[str, str | None]:
            run = await story.house.people.clients["audra"].runs.handle(claim.run).wait(100)
            return run.status, run.error.code if run.error else None

        assert await of_each(story, ending) == {claim.name: (claim.ends, claim.code) for claim in story.claims.values()}

    async def test_let_the_bank_see_exactly_the_approved_calls(self, story: Story) -> None:
        bank = story.house.bank.caller
        expected = {(claim.name, claim.paid) for claim in story.claims.values() if claim.paid is not None}
        for path, done in (("payments", "paid"), ("reservations", "paid")):
            seen = [(each["claim_id"], each["amount_micros"]) for each in bank.get(f"/{path}")[path] if each["state"] == done]
            assert sorted(seen) == sorted(expected), path
        books = bank.get("/summary")
        assert (books["balanced"], books["effects_per_key_max"], books["paid_more_than_once"]) == (True, 1, [])
        assert books["payments"]["count"] == len(expected)

    async def test_leave_ledgers_that_all_verify(self, story: Story) -> None:
        async def verdict(claim: Claim) -> bool:
            return (await story.house.people.clients["audra"].runs.handle(claim.run).verify()).ok

        assert set((await of_each(story, verdict)).values()) == {True}

    async def test_are_recorded_at_the_times_of_the_scenario(self, story: Story) -> None:
        async def first(claim: Claim) -> datetime:
            [entry, *_] = await story.house.people.clients["audra"].runs.handle(claim.run).ledger()
            return datetime.fromtimestamp(entry.recorded_at_us / 1_000_000, ZONE)

        assert {at.date() for at in (await of_each(story, first)).values()} <= {story.friday + timedelta(days=days) for days in range(4)}

    async def test_leave_the_decisions_of_everybody_who_decided(self, story: Story) -> None:
        async def decided(claim: Claim) -> tuple[str, ...]:
            said = await story.facts(claim, "human:approval:voted") + await story.facts(claim, "human:approval:decided")
            return tuple(sorted(story.house.people.name(each.principal) for each in said))

        assert await of_each(story, decided) == {claim.name: claim.by for claim in story.claims.values()}

    async def test_say_in_whose_place_somebody_decided(self, story: Story) -> None:
        async def in_place_of(claim: Claim) -> str | None:
            [*_, last] = [None, *(json.loads(each.body) for each in await story.facts(claim, "human:approval:decided"))]
            who = last["data"].get("acting_for") if last else None
            return story.house.people.name(who) if who else None

        assert await of_each(story, in_place_of) == {claim.name: claim.for_whom for claim in story.claims.values()}

    async def test_let_one_command_say_who_approved_exactly_what(self, story: Story) -> None:
        await asyncio.gather(*(story.sealed(claim) for claim in story.claims.values()))
        said = json.loads(await by_command_line(story.house, "audra", "approvals", "audit", "--json"))
        assert (said["ok"], said["problems"], len(said["approvals"])) == (True, [], 50)
        told = {each["approval"]: each for each in said["approvals"]}
        for claim in story.claims.values():
            check_audit(story, claim, told[claim.approval])

    async def test_send_webhooks_that_verify(self, story: Story) -> None:
        posts = story.house.web.at("/hook")
        assert len(posts) > 100
        for post in posts:
            Webhook(story.hook_secret).verify(post.body.decode(), post.headers)  # raises
        assert len({post.headers["webhook-id"] for post in posts}) == len(posts)

    async def test_give_nothing_up(self, story: Story) -> None:
        listed = await story.house.people.browsers["olga"].get("/v1/dead-letters")
        assert (listed.status_code, listed.json()["items"]) == (200, [])
