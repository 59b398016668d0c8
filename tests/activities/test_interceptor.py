"""The journal interceptor: intent, attempt, outcome, and what each kind of end leaves behind (JOURNAL §2)."""

import asyncio

import pytest
from temporalio.testing import ActivityEnvironment

from activities.attempts import TOOL_KINDS
from activities.run_records import carrier_of
from domain.effects import (
    EffectClass,
    EffectState,
    Intent,
    RetryClass,
    request_digest,
)
from domain.envelope import Envelope, Receipt
from domain.errors import ToolFailed, ToolTimedOut, ToolUnavailable
from tests.activities.bench import KEY, Attempts, details, envelope, fact, passed, paying, refused


def failing(*errors: Exception) -> Attempts:
    """Build attempts of an effect that raises these, then succeeds."""
    left = list(errors)

    async def pay(_given: Envelope) -> Receipt:
        if left:
            raise left.pop(0)
        return Receipt(output={"paid": 1})

    return Attempts(pay)


def hanging() -> tuple[Attempts, asyncio.Event, asyncio.Event]:
    """Build attempts of an effect that never answers, with events for begun and cancelled."""
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def pay(_given: Envelope) -> Receipt:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return Receipt()

    return Attempts(pay), begun, cancelled


class TestSuccess:
    async def test_stores_the_output_and_returns_only_what_is_projected(self) -> None:
        pay, _ = paying({"id": "p1", "secret": "x"})
        attempts = Attempts(pay)
        receipt = await attempts.attempt(envelope(fact(1), project=["id"]))
        assert (receipt.output, receipt.fields, receipt.replayed) == (None, {"id": "p1"}, False)
        assert receipt.ref is not None
        assert await attempts.fake.get("acme", receipt.ref) == {"id": "p1", "secret": "x"}
        assert receipt.fact_head == 1
        assert await attempts.kinds() == [
            "gateway:run:accepted",
            "workflow:step:entered",
            "agent:tool:requested",
            "agent:tool:called",
        ]

    async def test_is_recorded_once_and_answered_again_without_doing_it(self) -> None:
        pay, calls = paying({"id": "p1"})
        attempts = Attempts(pay)
        first = await attempts.attempt(envelope(project=["id"]))
        again = await attempts.attempt(envelope(project=["id"]))
        assert len(calls) == 1
        assert (again.ref, again.digest, again.fields, again.replayed) == (first.ref, first.digest, first.fields, True)

    async def test_whose_projection_is_too_large_is_recorded_and_fails_for_good(self) -> None:
        pay, calls = paying({"text": "x" * 9000})
        attempts = Attempts(pay)
        for _ in range(2):
            error = await refused(attempts, envelope(project=["text"]))
            assert (error.type, error.non_retryable) == ("projection-too-large", True)
        assert len(calls) == 1
        assert attempts.fake.effects[KEY].state is EffectState.DONE


class TestFailure:
    async def test_for_good_is_recorded_and_told_again(self) -> None:
        attempts = failing(ToolFailed("no such account"))
        first = await refused(attempts, envelope(fact(1)))
        again = await refused(attempts, envelope(fact(1)))
        assert (first.type, first.non_retryable, details(first).fact_head) == ("tool-failed", True, 1)
        assert (again.type, again.non_retryable, details(again).recorded) == ("tool-failed", True, True)
        assert (await attempts.kinds()).count("agent:tool:failed") == 1

    async def test_that_passes_lets_the_next_attempt_go(self) -> None:
        attempts = failing(ToolUnavailable("429", retry_after_s=7))
        error = await refused(attempts, envelope())
        assert not error.non_retryable
        assert error.next_retry_delay is not None
        assert error.next_retry_delay.total_seconds() == 7
        assert (await attempts.attempt(envelope())).ref is not None

    async def test_at_the_last_attempt_is_final(self) -> None:
        attempts = failing(ToolUnavailable("429"), ToolUnavailable("429"))
        assert not (await refused(attempts, envelope(max_attempts=2))).non_retryable
        assert (await refused(attempts, envelope(max_attempts=2))).non_retryable

    async def test_that_no_tool_may_raise_is_recorded_as_unknown(self) -> None:
        attempts = failing(ValueError("secret detail"))
        error = await refused(attempts, envelope())
        assert (error.type, error.non_retryable) == ("step-failed", True)
        assert "secret detail" not in str(error)
        assert attempts.fake.effects[KEY].state is EffectState.FAILED

    async def test_acknowledges_the_facts_that_came_with_the_intent(self) -> None:
        attempts = failing(ToolFailed("no"))
        assert details(await refused(attempts, envelope(fact(1), fact(2)))).fact_head == 2


class TestAtMostOnce:
    async def test_that_timed_out_is_in_doubt_and_never_repeated(self) -> None:
        attempts = failing(ToolTimedOut("no answer"))
        given = envelope(retry_class=RetryClass.AT_MOST_ONCE)
        first = await refused(attempts, given)
        again = await refused(attempts, given)
        assert [first.type, again.type] == ["effect-in-doubt"] * 2
        assert attempts.fake.effects[KEY].state is EffectState.IN_DOUBT

    async def test_whose_attempt_was_lost_is_in_doubt_when_its_lease_is_over(self) -> None:
        pay, calls = paying()
        attempts = Attempts(pay)
        await attempts.fake.intent(lost_intent(RetryClass.AT_MOST_ONCE, lease_ms=40))
        given = envelope(retry_class=RetryClass.AT_MOST_ONCE)
        assert (await refused(attempts, given)).type == "effect-leased"
        await passed(0.06)
        assert (await refused(attempts, given)).type == "effect-in-doubt"
        assert calls == []

    async def test_that_surely_did_not_happen_is_tried_again(self) -> None:
        attempts = failing(ToolUnavailable("refused connection"))
        await refused(attempts, envelope(retry_class=RetryClass.AT_MOST_ONCE))
        assert (await attempts.attempt(envelope(retry_class=RetryClass.AT_MOST_ONCE))).ref is not None


def lost_intent(retry_class: RetryClass = RetryClass.IDEMPOTENT, *, lease_ms: int) -> Intent:
    """Build the intent of an attempt that died at once."""
    given = envelope()
    return Intent(
        carrier=carrier_of(given),
        key=KEY,
        digest=request_digest(tool="bank.pay", version="1.0.0", arguments={"amount": 80}),
        effect_class=EffectClass.MONEY,
        retry_class=retry_class,
        subject="bank.pay@1.0.0",
        kind=TOOL_KINDS.requested,
        at="2026-03-01T12:00:00.000000Z",
        attempt=1,
        lease_token="dead",
        lease_ms=lease_ms,
        temporal_run_id="temporal-1",
    )


class TestLease:
    async def test_makes_the_next_attempt_wait_and_says_how_long(self) -> None:
        pay, calls = paying()
        attempts = Attempts(pay)
        await attempts.fake.intent(lost_intent(lease_ms=60_000))
        error = await refused(attempts, envelope())
        assert (error.type, error.non_retryable, calls) == ("effect-leased", False, [])
        assert error.next_retry_delay is not None
        assert 50 < error.next_retry_delay.total_seconds() <= 60

    async def test_that_is_over_lets_an_idempotent_effect_repeat(self) -> None:
        pay, calls = paying()
        attempts = Attempts(pay)
        await attempts.fake.intent(lost_intent(lease_ms=20))
        await passed(0.04)
        assert (await attempts.attempt(envelope())).ref is not None
        assert len(calls) == 1

    async def test_is_renewed_while_the_heart_beats(self) -> None:
        attempts, begun, _ = hanging()
        running = asyncio.create_task(refused(attempts, envelope(deadline_s=0.5), heartbeat_s=0.1))
        await begun.wait()
        await passed(0.25)
        assert attempts.heartbeats >= 3
        other = attempts.fake.effects[KEY]
        assert other.token == "token-1"
        assert (await refused(attempts, envelope())).type == "effect-leased"
        assert (await running).type == "tool-timed-out"

    async def test_that_is_lost_ends_the_attempt(self) -> None:
        attempts, begun, cancelled = hanging()
        running = asyncio.create_task(attempts.attempt(envelope(), heartbeat_s=0.1))
        await begun.wait()
        attempts.fake.effects[KEY].token = "another attempt's"
        with pytest.raises(asyncio.CancelledError):
            await running
        assert cancelled.is_set()


class TestDeadline:
    async def test_ends_the_attempt_by_itself(self) -> None:
        attempts, _, cancelled = hanging()
        error = await refused(attempts, envelope(deadline_s=0.05))
        assert (error.type, error.non_retryable) == ("tool-timed-out", False)
        assert cancelled.is_set()
        assert attempts.fake.effects[KEY].state is EffectState.FAILED

    async def test_of_the_step_ends_the_attempt_earlier_and_for_good(self) -> None:
        attempts, _, cancelled = hanging()
        error = await refused(attempts, envelope(deadline_s=30), left_s=0.05)
        assert (error.type, error.non_retryable) == ("step-timed-out", True)
        assert cancelled.is_set()

    async def test_of_the_step_that_is_over_lets_nothing_begin(self) -> None:
        pay, calls = paying()
        attempts = Attempts(pay)
        assert (await refused(attempts, envelope(), left_s=-1)).type == "step-timed-out"
        assert calls == []
        assert KEY not in attempts.fake.effects

    async def test_is_what_the_tool_is_told(self) -> None:
        pay, calls = paying()
        await Attempts(pay).attempt(envelope(deadline_s=30), left_s=8)
        assert 7 < calls[0].deadline_s <= 8


class TestCancellation:
    @pytest.mark.parametrize(
        ("retry_class", "state"), [(RetryClass.IDEMPOTENT, EffectState.FAILED), (RetryClass.AT_MOST_ONCE, EffectState.IN_DOUBT)]
    )
    async def test_records_that_it_is_unknown_whether_it_happened(self, retry_class: RetryClass, state: EffectState) -> None:
        attempts, begun, cancelled = hanging()
        environment = ActivityEnvironment()
        running = asyncio.create_task(attempts.attempt(envelope(retry_class=retry_class), environment=environment))
        await begun.wait()
        environment.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert cancelled.is_set()
        assert attempts.fake.effects[KEY].state is state
