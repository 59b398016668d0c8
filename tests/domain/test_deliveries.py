"""What follows from an attempt: the schedule of Standard Webhooks, throttling, disabling, giving up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.deliveries import (
    BUSY_S_MAX,
    PAUSES_S,
    RETRY_AFTER_S_MAX,
    THROTTLE_S,
    AttemptResult,
    DeliveryInput,
    DeliveryState,
    Schedule,
    after,
)

FAILED = AttemptResult(outcome="failed", status=500)
CHANCES = st.floats(0, 1)


class TestSchedule:
    def test_is_the_recommended_one(self) -> None:
        hours = [2, 5, 10, 14, 20, 24]
        assert (0, 5, 5 * 60, 30 * 60, *(hour * 3600 for hour in hours)) == PAUSES_S

    @given(st.integers(1, len(PAUSES_S)), CHANCES)
    def test_varies_each_pause_by_a_tenth_at_most(self, attempt: int, chance: float) -> None:
        pause = Schedule().pause_s(attempt, chance)
        assert PAUSES_S[attempt - 1] * 0.9 - 1e-6 <= pause <= PAUSES_S[attempt - 1] * 1.1 + 1e-6

    def test_spreads_what_failed_together(self) -> None:
        assert Schedule().pause_s(4, 0.0) < Schedule().pause_s(4, 0.5) < Schedule().pause_s(4, 1.0)

    @given(CHANCES)
    def test_ten_failures_walk_through_it_and_the_tenth_gives_up(self, chance: float) -> None:
        schedule, pauses, attempt = Schedule(), list[float](), 1
        while (then := after(FAILED, attempt=attempt, schedule=schedule, chance=chance)).state is DeliveryState.PENDING:
            assert then.attempt == attempt + 1
            pauses.append(then.pause_s)
            attempt = then.attempt
        assert then.state is DeliveryState.DEAD
        assert len(pauses) == 9
        assert all(abs(pause - wanted) <= wanted * 0.1 + 1e-6 for pause, wanted in zip(pauses, PAUSES_S[1:], strict=True))


class TestAfter:
    def test_delivered(self) -> None:
        then = after(AttemptResult(outcome="sent", status=200), attempt=3, schedule=Schedule(), chance=0.5)
        assert (then.state, then.disable, then.throttle_s) == (DeliveryState.DELIVERED, False, 0)

    def test_gone_disables_and_refused_does_not(self) -> None:
        gone = after(AttemptResult(outcome="gone", status=410), attempt=1, schedule=Schedule(), chance=0.5)
        refused = after(AttemptResult(outcome="refused"), attempt=1, schedule=Schedule(), chance=0.5)
        assert (gone.state, gone.disable) == (DeliveryState.DEAD, True)
        assert (refused.state, refused.disable) == (DeliveryState.DEAD, False)

    @pytest.mark.parametrize("asked", [None, 3.0, 4000.0])
    def test_throttled_waits_as_long_as_asked_and_keeps_others_away(self, asked: float | None) -> None:
        result = AttemptResult(outcome="throttled", status=429, retry_after_s=asked)
        then = after(result, attempt=1, schedule=Schedule(), chance=0.0)
        assert then.state is DeliveryState.PENDING
        assert then.throttle_s == (asked or THROTTLE_S)
        assert then.pause_s >= max(then.throttle_s, 4.5)

    def test_an_endpoint_that_asks_for_no_pause_gets_none_but_the_schedules(self) -> None:
        then = after(AttemptResult(outcome="throttled", status=503, retry_after_s=0.0), attempt=1, schedule=Schedule(), chance=0.5)
        assert (then.throttle_s, then.pause_s) == (0, 5)

    @given(CHANCES, st.floats(-1e9, 1e12))
    def test_no_endpoint_parks_a_delivery_for_longer_than_a_day(self, chance: float, asked: float) -> None:
        result = AttemptResult(outcome="throttled", retry_after_s=asked)
        then = after(result, attempt=1, schedule=Schedule(), chance=chance)
        assert 0 <= then.pause_s <= RETRY_AFTER_S_MAX
        assert then.throttle_s <= RETRY_AFTER_S_MAX

    @given(CHANCES, st.integers(0, 10_000))
    def test_busy_counts_no_attempt_and_waits_a_minute_at_most(self, chance: float, waits: int) -> None:
        then = after(AttemptResult(outcome="busy"), attempt=4, schedule=Schedule(), chance=chance, waits=waits)
        assert (then.state, then.attempt) == (DeliveryState.PENDING, 4)
        assert 0 < then.pause_s <= BUSY_S_MAX

    def test_busy_behind_a_throttle_comes_back_after_it(self) -> None:
        result = AttemptResult(outcome="busy", retry_after_s=120.0)
        assert 120 < after(result, attempt=1, schedule=Schedule(), chance=0.5).pause_s <= 180


class TestDeliveryInput:
    def test_each_round_has_a_workflow_of_its_own(self) -> None:
        first = DeliveryInput(tenant="acme", delivery="dlv_1")
        assert first.workflow_id == "dlv_1"
        assert first.model_copy(update={"round": 2}).workflow_id == "dlv_1.2"
