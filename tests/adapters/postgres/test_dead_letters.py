"""Runs and effects become dead letters in the transaction that gives them up; redrives of many are counted and paced in SQL."""

import asyncio

import pytest

from adapters.postgres.bulk_redrives import PostgresBulkRedriveStore
from adapters.postgres.dead_letters import PostgresDeadLetterStore
from adapters.postgres.pool import Database
from domain.dead_letters import (
    WANTED,
    BulkRedrive,
    DeadLetter,
    DeadLetterFilter,
    DeadLetterKind,
    NewDeadLetter,
    dead_letter_id,
)
from domain.effects import EffectState, RetryClass
from domain.runs import Projection, RunStatus, TaskProjection
from tests.contracts.journal_bench import AT, RUN, carrier, intent, outcome
from tests.contracts.postgres_bench import PostgresBench

STEP = "settle.pay"


class LetterBench(PostgresBench):
    """A run, its journal, and its dead letters."""

    def __init__(self, db: Database, tenant: str) -> None:
        super().__init__(db, tenant)
        self.db = db
        self.letters = PostgresDeadLetterStore(db, self.cipher)
        self.bulk = PostgresBulkRedriveStore(db, self.cipher, self.letters)

    async def open_ones(self) -> list[DeadLetter]:
        """Return what is open, newest first."""
        return list((await self.letters.page(self.tenant, DeadLetterFilter())).items)

    async def end(self, status: RunStatus, code: str = "tool-failed", *, seq: int = 1) -> None:
        """End the run badly at its step."""
        error = {"code": code, "detail": "Ada's bank is closed", "step": STEP}
        await self.journal.flush(carrier(self), Projection(status=status, error=error), fact_seq=seq)

    async def ask_person(self, kind: str, call: str = "0") -> None:
        """Open a task about the run's effect."""
        task = TaskProjection(task="tsk_1", kind=kind, step=STEP, visit=1, call=call, title="?", detail="?", opened_at=AT)
        await self.journal.flush(carrier(self), Projection(status=RunStatus.IN_DOUBT, open_task=task), fact_seq=0)

    async def answer(self, resolution: str) -> None:
        """Answer it."""
        await self.tasks.complete(self.tenant, "tsk_1", resolution=resolution, output=None, principal="prn_b", at=AT)


@pytest.fixture
async def bench(db: Database, tenant: str) -> LetterBench:
    """An accepted run."""
    made = LetterBench(db, tenant)
    await made.accept()
    return made


class TestRuns:
    @pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.TIMED_OUT, RunStatus.DEAD])
    async def test_that_give_up_are_dead_letters_at_once(self, bench: LetterBench, status: RunStatus) -> None:
        await bench.journal.intent(intent(bench, attempt=3))
        await bench.journal.outcome(outcome(bench, state=EffectState.FAILED, error={"code": "tool-failed", "detail": "x"}, attempt=3))
        await bench.end(status)
        (letter,) = await bench.open_ones()
        assert letter.dead_letter == dead_letter_id(bench.tenant, DeadLetterKind.RUN, RUN, "1")
        assert (letter.kind, letter.subject, letter.run, letter.step) == (DeadLetterKind.RUN, RUN, RUN, STEP)
        assert (letter.cause, letter.detail, letter.attempts) == ("tool-failed", "Ada's bank is closed", 3)
        assert (letter.definition, letter.payload_ref is None) == ("delay-claim", False)

    @pytest.mark.parametrize("code", sorted(WANTED))
    async def test_that_people_wanted_to_end_are_none(self, bench: LetterBench, code: str) -> None:
        await bench.end(RunStatus.FAILED, code)
        assert await bench.open_ones() == []

    @pytest.mark.parametrize("status", [RunStatus.SUCCEEDED, RunStatus.CANCELLED])
    async def test_that_end_well_or_cancelled_are_none(self, bench: LetterBench, status: RunStatus) -> None:
        await bench.journal.flush(carrier(bench), Projection(status=status), fact_seq=1)
        assert await bench.open_ones() == []

    @pytest.mark.parametrize(("status", "cause"), [(RunStatus.EXPIRED, "run-expired"), (RunStatus.TERMINATED, "run-terminated")])
    async def test_that_were_closed_from_outside_are_dead_letters_with_the_reason(
        self, bench: LetterBench, status: RunStatus, cause: str
    ) -> None:
        await bench.runs.close_externally(bench.tenant, RUN, status=status, reason="by hand", at=AT, epoch=None)
        (letter,) = await bench.open_ones()
        assert (letter.cause, letter.detail) == (cause, "by hand")

    async def test_flushed_twice_are_one(self, bench: LetterBench) -> None:
        for _ in range(2):
            await bench.end(RunStatus.FAILED)
        assert len(await bench.open_ones()) == 1

    async def test_that_go_on_are_redriven_and_their_next_failure_is_another(self, bench: LetterBench) -> None:
        await bench.end(RunStatus.FAILED)
        (first,) = await bench.open_ones()
        async with bench.db.tenant(bench.tenant) as tx:  # as a redrive or an operator's reset opens it
            await tx.execute("UPDATE runs SET closed_at = NULL, status = 'running', epoch = 2, projection_epoch = 2")
        closed = await bench.letters.get(bench.tenant, first.dead_letter)
        assert (closed.state, closed.by) == ("redriven", "platform")
        error = {"code": "tool-failed", "detail": "again", "step": STEP}
        await bench.journal.flush(carrier(bench, epoch=2), Projection(status=RunStatus.FAILED, error=error), fact_seq=2)
        (second,) = await bench.open_ones()
        assert (second.dead_letter != first.dead_letter, second.detail) == (True, "again")

    async def test_whose_flush_is_rolled_back_are_none(self, bench: LetterBench) -> None:
        async def close_and_crash() -> None:
            async with bench.db.tenant(bench.tenant) as tx:
                await tx.execute("UPDATE runs SET closed_at = clock_timestamp(), status = 'failed'")
                raise RuntimeError("crash")

        with pytest.raises(RuntimeError, match="crash"):
            await close_and_crash()
        assert await bench.open_ones() == []


class TestEffects:
    async def test_in_doubt_that_a_person_gives_up_are_dead_letters(self, bench: LetterBench) -> None:
        for token in ("first", "second"):
            await bench.journal.intent(intent(bench, token=token, retry_class=RetryClass.AT_MOST_ONCE, lease_ms=0))
        await bench.ask_person("in_doubt")
        await bench.answer("give_up")
        (letter,) = await bench.open_ones()
        assert (letter.kind, letter.subject, letter.cause) == (DeadLetterKind.EFFECT, f"{RUN}/{STEP}/1/0", "effect-in-doubt")
        assert ("bank.pay" in letter.detail, letter.step, letter.payload_ref is None) == (True, STEP, False)

    async def test_are_one_entry_with_the_run_that_they_end(self, bench: LetterBench) -> None:
        await bench.journal.intent(intent(bench))
        await bench.ask_person("in_doubt")
        await bench.answer("give_up")
        await bench.end(RunStatus.FAILED, "effect-in-doubt")
        assert [letter.kind for letter in await bench.open_ones()] == [DeadLetterKind.EFFECT]

    async def test_that_a_saga_asks_about_before_it_undoes_them_are_one_entry_with_the_run(self, bench: LetterBench) -> None:
        await bench.journal.intent(intent(bench))
        error = {"code": "tool-timed-out", "detail": "no answer within 1 s", "retryable": "false"}
        await bench.journal.outcome(outcome(bench, state=EffectState.FAILED, error=error))
        await bench.ask_person("in_doubt", call="compensate")
        await bench.answer("give_up")
        await bench.end(RunStatus.FAILED, "tool-timed-out")
        (letter,) = await bench.open_ones()
        assert (letter.kind, letter.subject) == (DeadLetterKind.EFFECT, f"{RUN}/{STEP}/1/compensate")
        assert (letter.cause, letter.detail) == ("effect-in-doubt", "no answer within 1 s")

    async def test_of_which_nothing_is_recorded_can_be_listed(self, bench: LetterBench) -> None:
        await bench.ask_person("in_doubt")
        await bench.answer("give_up")
        (letter,) = await bench.open_ones()
        assert letter.detail == f"a person gave it up: a call of step {STEP}"

    async def test_of_failed_compensations_keep_their_error(self, bench: LetterBench) -> None:
        await bench.journal.intent(intent(bench))
        error = {"code": "tool-failed", "detail": "no such account", "retryable": "false"}
        await bench.journal.outcome(outcome(bench, state=EffectState.FAILED, error=error))
        await bench.ask_person("failed_compensation")
        await bench.answer("give_up")
        await bench.end(RunStatus.FAILED)
        effect, run = sorted(await bench.open_ones(), key=lambda letter: letter.kind)
        assert (effect.cause, effect.detail) == ("compensation-failed", "no such account")
        assert run.cause == "tool-failed"

    @pytest.mark.parametrize("resolution", ["happened", "did_not_happen"])
    async def test_that_a_person_answers_are_none(self, bench: LetterBench, resolution: str) -> None:
        await bench.ask_person("in_doubt")
        await bench.answer(resolution)
        assert await bench.open_ones() == []


class TestBulk:
    async def some(self, bench: LetterBench, count: int) -> None:
        """Add dead letters of deliveries."""
        for number in range(count):
            letter = NewDeadLetter(
                tenant=bench.tenant,
                kind=DeadLetterKind.DELIVERY,
                subject=f"dlv_{number}",
                occasion="1",
                cause="gone",
                first_at=AT,
                last_at=AT,
            )
            await bench.letters.add(letter)

    def order(self, bench: LetterBench, *, rate: float = 100) -> BulkRedrive:
        """Build a redrive of all deliveries."""
        kind = DeadLetterKind.DELIVERY
        return BulkRedrive(tenant=bench.tenant, redrive="rdv_1", kind=kind, rate=rate, reason="it is up again", requested_by="prn_a")

    async def test_takes_at_its_rate_and_counts_to_the_end(self, bench: LetterBench) -> None:
        await self.some(bench, 3)
        begun = await bench.bulk.begin(self.order(bench))
        assert (begun.left, begun.reason, (await bench.bulk.begin(self.order(bench))).requested_at) == (3, begun.reason, begun.requested_at)
        taken: list[str] = []
        while True:
            due = await bench.bulk.take(bench.tenant, lease_s=60, most=2)
            if due is None:
                await asyncio.sleep(0)
                continue
            order, letters = due
            for letter in letters:
                taken.append(letter.subject)
                if letter.subject == "dlv_1":
                    await bench.letters.release(bench.tenant, letter.dead_letter, refused="not-redrivable")
                else:
                    await bench.letters.mark_redriven(bench.tenant, letter.dead_letter, by="prn_a", reason=None, at=AT)
            if order.finished_at is not None:
                break
        assert sorted(taken) == ["dlv_0", "dlv_1", "dlv_2"]
        assert (order.redriven, order.refused, order.left) == (2, 1, 0)

    async def test_of_a_slow_rate_is_not_due_again_at_once(self, bench: LetterBench) -> None:
        await self.some(bench, 2)
        await bench.bulk.begin(self.order(bench, rate=0.01))
        due = await bench.bulk.take(bench.tenant, lease_s=60, most=50)
        assert due is not None
        assert (len(due[1]), due[0].left) == (1, 2)
        assert await bench.bulk.take(bench.tenant, lease_s=60, most=50) is None

    async def test_taken_by_two_at_once_gives_each_its_own(self, bench: LetterBench) -> None:
        await self.some(bench, 1)
        await bench.bulk.begin(self.order(bench))
        both = await asyncio.gather(*(bench.bulk.take(bench.tenant, lease_s=60, most=5) for _ in range(2)))
        assert sum(len(due[1]) for due in both if due is not None) == 1

    async def test_whose_taker_was_lost_takes_it_again(self, bench: LetterBench) -> None:
        await self.some(bench, 1)
        await bench.bulk.begin(self.order(bench))
        lost = await bench.bulk.take(bench.tenant, lease_s=0, most=5)
        again = None
        while again is None:
            again = await bench.bulk.take(bench.tenant, lease_s=60, most=5)
        assert lost is not None
        assert [letter.subject for letter in again[1]] == ["dlv_0"]

    async def test_leaves_what_came_after_it_was_ordered(self, bench: LetterBench) -> None:
        await bench.bulk.begin(self.order(bench))
        await self.some(bench, 1)
        due = await bench.bulk.take(bench.tenant, lease_s=60, most=5)
        assert due is not None
        assert (due[1], due[0].left, due[0].finished_at is None) == ([], 0, False)
