"""The effect journal, JOURNAL §2: one suite for PostgreSQL 18, PostgreSQL 15 and the fake."""

import asyncio

import pytest

from domain.effects import EffectClass, EffectState, IntentAnswer, OutcomeAnswer, RetryClass
from domain.errors import JournalError, NotFound
from domain.runs import Projection, TaskProjection
from tests.contracts.journal_bench import AT, FIRST, LONG_MS, SHORT_MS, JournalBench, carrier, fact, intent, key, kinds, outcome

TASK = TaskProjection(
    task="tsk_1", kind="in_doubt", step="settle.pay", visit=1, call="0", title="Did it happen?", detail="bank.pay", opened_at=AT
)
DENIED = {"code": "tool-failed", "detail": "no such account", "retryable": "false"}
PASSING = {"code": "tool-unavailable", "detail": "503", "retryable": "true"}


async def lapse(bench: JournalBench) -> None:
    """Begin an attempt that dies, and wait until its lease is over by the journal's own clock."""
    await bench.journal.intent(intent(bench, lease_ms=SHORT_MS, retry_class=RetryClass.IDEMPOTENT))
    await asyncio.sleep((SHORT_MS + 30) / 1000)  # a lease is real time (DESIGN §15)


async def lapse_at_most_once(bench: JournalBench) -> None:
    """The same for an effect that may not be repeated; a second attempt then finds it in doubt."""
    await bench.journal.intent(intent(bench, lease_ms=SHORT_MS, retry_class=RetryClass.AT_MOST_ONCE))
    await asyncio.sleep((SHORT_MS + 30) / 1000)
    verdict = await bench.journal.intent(intent(bench, token="second", attempt=2, retry_class=RetryClass.AT_MOST_ONCE))
    assert verdict.answer is IntentAnswer.IN_DOUBT


class TestIntent:
    async def test_lets_the_first_attempt_go_and_starts_the_run(self, bench: JournalBench) -> None:
        verdict = await bench.journal.intent(intent(bench, fact(1)))
        assert (verdict.answer, verdict.fact_head) == (IntentAnswer.GO, 1)
        assert await kinds(bench) == ["gateway:run:accepted", "workflow:step:entered", "agent:tool:requested"]
        row = await bench.row()
        assert (row.status, row.epoch) == ("running", 1)

    async def test_lets_the_same_attempt_go_again_without_a_second_entry(self, bench: JournalBench) -> None:
        await bench.journal.intent(intent(bench))
        again = await bench.journal.intent(intent(bench))
        assert again.answer is IntentAnswer.GO
        assert (await kinds(bench)).count("agent:tool:requested") == 1

    async def test_refuses_a_run_that_does_not_exist(self, bench: JournalBench) -> None:
        with pytest.raises(NotFound):
            await bench.journal.intent(intent(bench, run="run_00000000000000000000000009"))

    async def test_answers_a_done_effect_with_its_recorded_outcome(self, bench: JournalBench) -> None:
        await bench.journal.intent(intent(bench))
        told = await bench.journal.outcome(outcome(bench, output={"paid": 80}, cost=7))
        verdict = await bench.journal.intent(intent(bench, token="second", attempt=2))
        assert verdict.answer is IntentAnswer.DONE
        assert verdict.recorded is not None
        assert verdict.recorded.output == {"paid": 80}
        assert (verdict.recorded.output_ref, verdict.recorded.output_digest) == (told.output_ref, told.output_digest)
        assert verdict.recorded.usage.cost_usd_micros == 7

    async def test_answers_a_failure_that_no_retry_mends_with_the_failure(self, bench: JournalBench) -> None:
        await bench.journal.intent(intent(bench))
        await bench.journal.outcome(outcome(bench, state=EffectState.FAILED, error=DENIED))
        verdict = await bench.journal.intent(intent(bench, token="second", attempt=2))
        assert verdict.answer is IntentAnswer.FAILED
        assert verdict.recorded is not None
        assert verdict.recorded.error == DENIED

    async def test_lets_a_new_attempt_go_after_a_passing_failure(self, bench: JournalBench) -> None:
        await bench.journal.intent(intent(bench))
        await bench.journal.outcome(outcome(bench, state=EffectState.FAILED, error=PASSING))
        assert (await bench.journal.intent(intent(bench, token="second", attempt=2))).answer is IntentAnswer.GO


class TestDigest:
    @pytest.mark.parametrize("effect_class", [EffectClass.WRITE, EffectClass.MONEY])
    async def test_never_answers_another_request_with_a_recorded_payment(self, bench: JournalBench, effect_class: EffectClass) -> None:
        await bench.journal.intent(intent(bench, effect_class=effect_class))
        await bench.journal.outcome(outcome(bench, output={"paid": 100}))
        for token in ("second", "third"):
            other = await bench.journal.intent(intent(bench, token=token, digest="b" * 64, effect_class=effect_class))
            assert (other.answer, other.recorded) == (IntentAnswer.DIVERGENT, None)
        assert (await kinds(bench)).count("worker:effect:diverged") == 1

    @pytest.mark.parametrize("effect_class", [EffectClass.NONE, EffectClass.READ])
    async def test_asks_for_a_new_visit_when_what_was_read_is_another_question(
        self, bench: JournalBench, effect_class: EffectClass
    ) -> None:
        await bench.journal.intent(intent(bench, effect_class=effect_class))
        await bench.journal.outcome(outcome(bench, output="old"))
        asked = intent(bench, token="second", digest="b" * 64, effect_class=effect_class)
        assert (await bench.journal.intent(asked)).answer is IntentAnswer.NEW_VISIT
        known = await bench.journal.intent(intent(bench, token="third", effect_class=effect_class))
        assert known.recorded is not None
        assert known.recorded.output == "old"

    @pytest.mark.parametrize("effect_class", [EffectClass.NONE, EffectClass.READ])
    async def test_reads_anew_what_was_not_read_yet(self, bench: JournalBench, effect_class: EffectClass) -> None:
        await bench.journal.intent(intent(bench, effect_class=effect_class))
        asked = intent(bench, token="second", digest="b" * 64, effect_class=effect_class)
        assert (await bench.journal.intent(asked)).answer is IntentAnswer.GO


class TestLease:
    async def test_makes_another_attempt_wait_while_the_first_may_live(self, bench: JournalBench) -> None:
        await bench.journal.intent(intent(bench, lease_ms=10_000))
        verdict = await bench.journal.intent(intent(bench, token="second", attempt=2))
        assert verdict.answer is IntentAnswer.LEASED
        assert 0 < verdict.wait_ms <= 10_000

    async def test_repeats_an_idempotent_effect_when_the_lease_is_over(self, bench: JournalBench) -> None:
        await lapse(bench)
        assert (await bench.journal.intent(intent(bench, token="second", attempt=2))).answer is IntentAnswer.GO
        third = await bench.journal.intent(intent(bench, token="third", attempt=3))
        assert third.answer is IntentAnswer.LEASED

    async def test_asks_a_person_about_an_at_most_once_effect_when_the_lease_is_over(self, bench: JournalBench) -> None:
        await lapse_at_most_once(bench)
        again = await bench.journal.intent(intent(bench, token="third", attempt=3, retry_class=RetryClass.AT_MOST_ONCE))
        assert again.answer is IntentAnswer.IN_DOUBT
        assert (await kinds(bench)).count("worker:effect:in_doubt") == 1

    async def test_is_renewed_by_the_attempt_that_holds_it_only(self, bench: JournalBench) -> None:
        await bench.journal.intent(intent(bench, lease_ms=0))
        assert not await bench.journal.renew(key(bench), lease_token="second", lease_ms=LONG_MS)
        assert await bench.journal.renew(key(bench), lease_token=FIRST, lease_ms=LONG_MS)
        assert (await bench.journal.intent(intent(bench, token="second"))).answer is IntentAnswer.LEASED
        await bench.journal.outcome(outcome(bench, output=1))
        assert not await bench.journal.renew(key(bench), lease_token=FIRST, lease_ms=LONG_MS)


class TestOutcome:
    async def test_records_once_however_often_it_is_told(self, bench: JournalBench) -> None:
        await bench.journal.intent(intent(bench))
        first = await bench.journal.outcome(outcome(bench, output=1, cost=5))
        second = await bench.journal.outcome(outcome(bench, output=1, cost=5))
        assert (first.answer, second.answer) == (OutcomeAnswer.RECORDED, OutcomeAnswer.RECORDED)
        assert first.output_ref == second.output_ref
        assert (await kinds(bench)).count("agent:tool:called") == 1
        row = await bench.row()
        assert (row.cost_usd_micros, row.input_tokens, row.output_tokens) == (5, 10, 2)

    async def test_refuses_an_effect_that_never_began(self, bench: JournalBench) -> None:
        with pytest.raises(JournalError, match="no intent"):
            await bench.journal.outcome(outcome(bench))

    async def test_settles_only_the_cost_of_an_attempt_that_lost_its_lease_to_one_that_is_done(self, bench: JournalBench) -> None:
        await lapse(bench)
        await bench.journal.intent(intent(bench, token="second", attempt=2))
        done = await bench.journal.outcome(outcome(bench, token="second", attempt=2, output="second", cost=5))
        late = await bench.journal.outcome(outcome(bench, output="first", cost=3))
        assert (late.answer, late.output_ref) == (OutcomeAnswer.SETTLED_LATE, done.output_ref)
        assert (await bench.row()).cost_usd_micros == 8
        assert (await kinds(bench))[-1] == "worker:effect:settled_late"
        known = await bench.journal.intent(intent(bench, token="third", attempt=3))
        assert known.recorded is not None
        assert known.recorded.output == "second"

    async def test_accepts_a_late_success_while_another_attempt_only_began(self, bench: JournalBench) -> None:
        await lapse(bench)
        await bench.journal.intent(intent(bench, token="second", attempt=2))
        late = await bench.journal.outcome(outcome(bench, output="first"))
        assert late.answer is OutcomeAnswer.ACCEPTED_LATE
        second = await bench.journal.outcome(outcome(bench, token="second", attempt=2, output="second"))
        assert second.answer is OutcomeAnswer.SETTLED_LATE

    async def test_keeps_a_late_failure_from_ending_what_another_attempt_holds(self, bench: JournalBench) -> None:
        await lapse(bench)
        await bench.journal.intent(intent(bench, token="second", attempt=2))
        late = await bench.journal.outcome(outcome(bench, state=EffectState.FAILED, error=DENIED))
        assert late.answer is OutcomeAnswer.SETTLED_LATE
        second = await bench.journal.outcome(outcome(bench, token="second", attempt=2, output="second"))
        assert second.answer is OutcomeAnswer.RECORDED

    async def test_closes_the_task_when_the_truth_comes_late(self, bench: JournalBench) -> None:
        await lapse_at_most_once(bench)
        await bench.journal.flush(carrier(bench), Projection(open_task=TASK), fact_seq=0)
        late = await bench.journal.outcome(outcome(bench, output={"paid": 80}))
        assert late.answer is OutcomeAnswer.ACCEPTED_LATE
        task = await bench.task("tsk_1")
        assert (task.state, task.resolution, task.delivered) == ("closed_late", "done", False)
        known = await bench.journal.intent(intent(bench, token="third", retry_class=RetryClass.AT_MOST_ONCE))
        assert known.answer is IntentAnswer.DONE

    async def test_opens_no_question_whose_answer_came_first(self, bench: JournalBench) -> None:
        await lapse_at_most_once(bench)
        await bench.journal.outcome(outcome(bench, output={"paid": 80}))
        await bench.journal.flush(carrier(bench), Projection(open_task=TASK), fact_seq=0)
        task = await bench.task("tsk_1")
        assert (task.state, task.delivered) == ("closed_late", False)

    async def test_records_what_happened_even_when_the_epoch_is_over(self, bench: JournalBench) -> None:
        await bench.journal.intent(intent(bench))
        await bench.journal.flush(carrier(bench, epoch=2), Projection(), fact_seq=0)
        told = await bench.journal.outcome(outcome(bench, fact(1), output=1, epoch=1))
        assert (told.answer, told.fact_head) == (OutcomeAnswer.RECORDED, 0)


class TestResolve:
    async def test_answers_with_the_output_that_a_person_gave(self, bench: JournalBench) -> None:
        await lapse_at_most_once(bench)
        said = await bench.journal.resolve(carrier(bench), key(bench), happened=True, output={"paid": 80}, principal="prn_b", at=AT)
        assert said.answer is IntentAnswer.DONE
        known = await bench.journal.intent(intent(bench, token="third", retry_class=RetryClass.AT_MOST_ONCE))
        assert known.recorded is not None
        assert known.recorded.output == {"paid": 80}
        last = (await bench.entries())[-1]
        assert (last.kind, last.principal) == ("human:task:completed", "prn_b")

    async def test_opens_the_effect_again_when_it_did_not_happen(self, bench: JournalBench) -> None:
        await lapse_at_most_once(bench)
        said = await bench.journal.resolve(carrier(bench), key(bench), happened=False, output=None, principal="prn_b", at=AT)
        assert said.answer is IntentAnswer.GO
        third = await bench.journal.intent(intent(bench, token="third", attempt=3, retry_class=RetryClass.AT_MOST_ONCE))
        assert third.answer is IntentAnswer.GO

    async def test_is_not_the_end_of_what_the_lost_attempt_has_to_tell(self, bench: JournalBench) -> None:
        await lapse_at_most_once(bench)
        await bench.journal.resolve(carrier(bench), key(bench), happened=False, output=None, principal="prn_b", at=AT)
        late = await bench.journal.outcome(outcome(bench, output={"paid": 80}, cost=3))
        assert late.answer is OutcomeAnswer.SETTLED_LATE
        assert (await kinds(bench))[-1] == "worker:effect:settled_late"
        assert (await bench.row()).cost_usd_micros == 3

    async def test_lets_the_truth_that_came_first_stand(self, bench: JournalBench) -> None:
        await lapse_at_most_once(bench)
        await bench.journal.outcome(outcome(bench, output={"paid": 80}))
        said = await bench.journal.resolve(carrier(bench), key(bench), happened=False, output=None, principal="prn_b", at=AT)
        assert said.answer is IntentAnswer.DONE
        assert said.recorded is not None
        assert said.recorded.output == {"paid": 80}

    async def test_settles_a_divergent_effect_under_the_request_that_diverged(self, bench: JournalBench) -> None:
        await bench.journal.intent(intent(bench))
        await bench.journal.outcome(outcome(bench, output={"paid": 100}))
        await bench.journal.intent(intent(bench, token="second", digest="b" * 64))
        said = await bench.journal.resolve(carrier(bench), key(bench), happened=False, output=None, principal="prn_b", at=AT)
        assert said.answer is IntentAnswer.GO
        assert (await bench.journal.intent(intent(bench, token="third", digest="b" * 64))).answer is IntentAnswer.GO
