"""Settling one effect and beginning the next in one transaction: the suite of `EffectJournal.advance`."""

import pytest

from domain.effects import EffectClass, EffectState, IntentAnswer, OutcomeAnswer
from domain.errors import FactGap, JournalError
from tests.contracts.journal_bench import SHORT_MS, JournalBench, fact, intent, kinds, outcome
from tests.contracts.test_journal import lapse

REF = "0123456789abcdef0123456789abcdef"
NEXT = "settle.notify"


class TestAdvance:
    async def test_records_the_outcome_and_then_the_next_intent(self, bench: JournalBench) -> None:
        await bench.journal.intent(intent(bench))
        ended, begun = await bench.journal.advance(
            outcome(bench, output={"paid": True}, output_ref=REF, cost=3), intent(bench, fact(1), step=NEXT, token="next")
        )
        assert (ended.answer, ended.output_ref) == (OutcomeAnswer.RECORDED, REF)
        assert begun is not None
        assert (begun.answer, begun.fact_head) == (IntentAnswer.GO, 1)
        assert (await kinds(bench))[-4:] == [
            "agent:tool:requested",
            "agent:tool:called",
            "workflow:step:entered",
            "agent:tool:requested",
        ]
        assert (await bench.row()).cost_usd_micros == 3

    async def test_may_be_told_again_when_its_answer_was_lost(self, bench: JournalBench) -> None:
        await bench.journal.intent(intent(bench))
        told = outcome(bench, output=1, output_ref=REF), intent(bench, fact(1), step=NEXT, token="next")
        await bench.journal.advance(*told)
        before = await kinds(bench)
        ended, begun = await bench.journal.advance(*told)
        assert ended.output_ref == REF
        assert begun is not None
        assert begun.answer is IntentAnswer.GO
        assert await kinds(bench) == before

    async def test_answers_a_next_effect_that_is_done_with_its_recorded_outcome(self, bench: JournalBench) -> None:
        await bench.journal.intent(intent(bench, step=NEXT, token="next"))
        await bench.journal.outcome(outcome(bench, output="told", token="next").model_copy(update={"key": intent(bench, step=NEXT).key}))
        await bench.journal.intent(intent(bench))
        _, begun = await bench.journal.advance(outcome(bench, output=1), intent(bench, step=NEXT, token="again"))
        assert begun is not None
        assert begun.recorded is not None
        assert (begun.answer, begun.recorded.output) == (IntentAnswer.DONE, "told")

    async def test_begins_nothing_after_an_attempt_that_lost_its_lease(self, bench: JournalBench) -> None:
        await lapse(bench)
        await bench.journal.intent(intent(bench, token="second", attempt=2))
        await bench.journal.outcome(outcome(bench, token="second", attempt=2, output="second"))
        ended, begun = await bench.journal.advance(outcome(bench, output="first"), intent(bench, fact(1), step=NEXT, token="next"))
        assert (ended.answer, begun) == (OutcomeAnswer.SETTLED_LATE, None)
        assert (await kinds(bench))[-1] == "worker:effect:settled_late"

    async def test_begins_nothing_when_no_intent_was_recorded(self, bench: JournalBench) -> None:
        with pytest.raises(JournalError, match="no intent"):
            await bench.journal.advance(outcome(bench), intent(bench, step=NEXT, token="next"))
        assert "agent:tool:requested" not in await kinds(bench)

    async def test_keeps_the_outcome_and_begins_nothing_when_a_fact_is_missing(self, bench: JournalBench) -> None:
        await bench.journal.intent(intent(bench))
        ended, begun = await bench.journal.advance(outcome(bench, output=1), intent(bench, fact(2), step=NEXT, token="next"))
        assert ended.answer is OutcomeAnswer.RECORDED
        assert begun is not None
        assert begun.answer is IntentAnswer.FACT_GAP
        assert (await kinds(bench))[-1] == "agent:tool:called"

    async def test_refuses_the_outcomes_own_facts_and_begins_nothing(self, bench: JournalBench) -> None:
        await bench.journal.intent(intent(bench))
        with pytest.raises(FactGap):
            await bench.journal.advance(outcome(bench, fact(3), output=1), intent(bench, step=NEXT, token="next"))
        assert (await kinds(bench))[-1] == "agent:tool:called"

    async def test_tells_a_next_effect_with_another_request_as_divergent(self, bench: JournalBench) -> None:
        paid = intent(bench, step=NEXT, token="next", effect_class=EffectClass.MONEY)
        await bench.journal.intent(paid)
        await bench.journal.outcome(outcome(bench, output=1, token="next").model_copy(update={"key": paid.key}))
        await bench.journal.intent(intent(bench))
        _, begun = await bench.journal.advance(outcome(bench, output=1), intent(bench, step=NEXT, token="other", digest="b" * 64))
        assert begun is not None
        assert begun.answer is IntentAnswer.DIVERGENT
        assert (await kinds(bench)).count("worker:effect:diverged") == 1

    async def test_tells_an_attempt_that_may_still_live(self, bench: JournalBench) -> None:
        await bench.journal.intent(intent(bench, step=NEXT, token="next"))
        await bench.journal.intent(intent(bench))
        _, begun = await bench.journal.advance(
            outcome(bench, state=EffectState.FAILED, error={"code": "tool-failed", "detail": "no", "retryable": "false"}),
            intent(bench, step=NEXT, token="other"),
        )
        assert begun is not None
        assert begun.answer is IntentAnswer.LEASED
        assert begun.wait_ms > SHORT_MS
