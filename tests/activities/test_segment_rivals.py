"""A segment that is cancelled, has rivals, or meets a journal that is away or knows better, over the fake journal."""

import asyncio

import pytest
from temporalio.activity import ActivityCancellationDetails
from temporalio.testing import ActivityEnvironment

from domain.effects import Intent, IntentAnswer, IntentVerdict, Outcome, OutcomeVerdict
from domain.errors import EffectLeased, StaleEpoch, Unavailable
from domain.segments import SegmentResult
from tests.activities.segment_bench import TWO, WHOLE, Attempts, HeldTool, is_final, steps_called, tool
from tests.fake_journal import FakeJournal


class HeldJournal:
    """The fake journal that waits before it answers one kind of call, until `answers` is set."""

    def __init__(self, fake: FakeJournal, held: str) -> None:
        self._fake = fake
        self._held = held
        self.reached = asyncio.Event()
        self.answers = asyncio.Event()
        self.renew = fake.renew
        self.resolve = fake.resolve

    async def _wait(self, name: str) -> None:
        if name == self._held:
            self.reached.set()
            await self.answers.wait()

    async def intent(self, intent: Intent) -> IntentVerdict:
        """Begin, late."""
        await self._wait("intent")
        return await self._fake.intent(intent)

    async def outcome(self, outcome: Outcome) -> OutcomeVerdict:
        """Settle, late."""
        await self._wait("outcome")
        return await self._fake.outcome(outcome)

    async def advance(self, outcome: Outcome, intent: Intent) -> tuple[OutcomeVerdict, IntentVerdict | None]:
        """Settle and begin, late."""
        await self._wait("advance")
        return await self._fake.advance(outcome, intent)


class TestCancellation:
    async def test_during_a_call_lets_it_end_and_tells_what_is_done(self) -> None:
        reader = HeldTool(at=1)
        attempts = Attempts(TWO, reader)
        environment = ActivityEnvironment()
        running = asyncio.create_task(attempts.result(environment=environment))
        await reader.held.wait()
        environment.cancel()
        reader.released.set()
        result = await running
        assert ([outcome.command for outcome in result.outcomes], result.stopped) == (["a#1/call"], None)
        assert steps_called(reader) == ["a"]
        assert (await attempts.kinds())[-1] == "agent:tool:called a"

    @pytest.mark.parametrize(
        "details",
        [ActivityCancellationDetails(worker_shutdown=True), ActivityCancellationDetails(timed_out=True)],
        ids=["a stopping worker", "a lost heartbeat"],
    )
    async def test_of_the_attempt_cuts_the_call_and_tells_what_is_done(self, details: ActivityCancellationDetails) -> None:
        reader = HeldTool(at=2)
        attempts = Attempts(TWO, reader)
        environment = ActivityEnvironment()
        running = asyncio.create_task(attempts.result(environment=environment))
        await reader.held.wait()
        environment.cancel(details)
        result = await running
        assert reader.cancelled == 1
        assert ([outcome.command for outcome in result.outcomes], result.stopped) == (["a#1/call"], "b#1/call")
        assert result.wait_s == 0
        assert not is_final(attempts, "b")
        assert (await attempts.kinds())[-1] == "agent:tool:failed b"

    @pytest.mark.parametrize("held", ["intent", "advance"])
    async def test_during_a_journal_call_lets_it_end_and_makes_no_call_after_it(self, held: str) -> None:
        fake = FakeJournal.with_run("acme", "run_00000000000000000000000001")
        journal = HeldJournal(fake, held)
        reader = tool({"n": 1})
        attempts = Attempts(TWO, reader, journal=journal, fake=fake)
        environment = ActivityEnvironment()
        running = asyncio.create_task(attempts.result(environment=environment))
        await journal.reached.wait()
        environment.cancel()
        for _ in range(3):
            await asyncio.sleep(0)
        journal.answers.set()
        result = await running
        done = [] if held == "intent" else ["a#1/call"]
        assert [outcome.command for outcome in result.outcomes] == done
        assert steps_called(reader) == (["a"] if done else [])
        assert result.stopped == ("b#1/call" if done else "a#1/call")

    async def test_during_the_last_outcome_comes_too_late(self) -> None:
        fake = FakeJournal.with_run("acme", "run_00000000000000000000000001")
        journal = HeldJournal(fake, "outcome")
        attempts = Attempts(WHOLE, tool({"n": 1}), journal=journal, fake=fake)
        environment = ActivityEnvironment()
        running = asyncio.create_task(attempts.result(environment=environment))
        await journal.reached.wait()
        environment.cancel()
        journal.answers.set()
        assert (await running).finished


class LosingJournal(FakeJournal):
    """Loses one answer: what it was told is recorded, and whoever told it does not get to know."""

    async def advance(self, outcome: Outcome, intent: Intent) -> tuple[OutcomeVerdict, IntentVerdict | None]:
        """Record, and once fail all the same.

        Raises:
            Unavailable: the first time.
        """
        answer = await super().advance(outcome, intent)
        if not self.lost:
            self.lost = True
            raise Unavailable("the connection was lost before the answer came")
        return answer

    lost = False


class TestRival:
    async def test_whose_outcome_came_first_is_read_by_the_next_attempt(self) -> None:
        reader = HeldTool(at=1)
        attempts = Attempts(TWO, reader)
        slow = asyncio.create_task(attempts.attempt())
        await reader.held.wait()
        attempts.leases_end()
        rival = await attempts.result()
        reader.released.set()
        with pytest.raises(EffectLeased):
            await slow
        assert len(rival.outcomes) == 2
        assert references(await attempts.result()) == references(rival)
        assert "worker:effect:settled_late a" in await attempts.kinds()
        assert steps_called(reader) == ["a", "a", "b"]

    async def test_of_a_newer_epoch_ends_the_walk(self) -> None:
        attempts = Attempts(TWO, tool({"n": 1}))
        attempts.fake.runs["run_00000000000000000000000001"].epoch = 2
        await attempts.refused(StaleEpoch)


class TestOutage:
    async def test_that_hides_an_answer_repeats_nothing_that_was_recorded(self) -> None:
        fake = LosingJournal.with_run("acme", "run_00000000000000000000000001")
        reader = tool({"n": 1}, {"n": 2})
        attempts = Attempts(TWO, reader, fake=fake)
        await attempts.refused(Unavailable)
        await attempts.refused(EffectLeased)
        attempts.leases_end()
        assert len((await attempts.result()).outcomes) == 2
        assert steps_called(reader) == ["a", "b"]


def references(result: SegmentResult) -> list[str | None]:
    """Return the references of the outputs."""
    return [outcome.receipt.ref for outcome in result.outcomes]


class KnowingJournal(FakeJournal):
    """Answers the second intent with what is known of it."""

    def __init__(self) -> None:
        super().__init__()
        self.knows = IntentAnswer.GO

    async def intent(self, intent: Intent) -> IntentVerdict:
        """Begin, or tell."""
        verdict = await super().intent(intent)
        return verdict.model_copy(update={"answer": self.knows}) if intent.key.step == "b" else verdict


class TestJournal:
    @pytest.mark.parametrize("answer", [IntentAnswer.IN_DOUBT, IntentAnswer.DIVERGENT, IntentAnswer.BUDGET_EXCEEDED])
    async def test_that_knows_better_leaves_the_call_to_an_activity_of_its_own(self, answer: IntentAnswer) -> None:
        fake = KnowingJournal.with_run("acme", "run_00000000000000000000000001")
        fake.knows = answer
        reader = tool({"n": 1})
        result = await Attempts(TWO, reader, fake=fake).result()
        assert ([outcome.command for outcome in result.outcomes], result.stopped) == (["a#1/call"], "b#1/call")
        assert (result.wait_s, result.tried) == (0, 0)
        assert steps_called(reader) == ["a"]
