"""The translation of the error tree to Temporal's failures is total, and comes back as the stepper's failures."""

import pytest
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
    CancelledError,
    RetryState,
    TimeoutType,
)
from temporalio.exceptions import TimeoutError as TemporalTimeout

from activities.attempts import stopped
from activities.failures import FailureDetails, application_error
from domain.effects import IntentAnswer, IntentVerdict
from domain.errors import EffectLeased, StandfastError, Unavailable, error_classes
from domain.state import Failure
from workflows.failures import SURELY_NOT, details_of, failure_of


def activity_error(cause: BaseException | None) -> ActivityError:
    """Wrap a cause as Temporal does."""
    error = ActivityError(
        "failed",
        scheduled_event_id=1,
        started_event_id=2,
        identity="w",
        activity_type="standfast.call_tool",
        activity_id="1",
        retry_state=RetryState.NON_RETRYABLE_FAILURE,
    )
    error.__cause__ = cause
    return error


class TestApplicationError:
    @pytest.mark.parametrize("cls", error_classes(), ids=lambda cls: cls.__name__)
    def test_is_made_of_every_class(self, cls: type[StandfastError]) -> None:
        error = application_error(cls("a sentence"), FailureDetails(detail="a sentence", attempt=2, fact_head=7))
        assert (error.type, error.non_retryable) == (cls.code, not cls.retryable)
        assert FailureDetails.model_validate(error.details[0]).fact_head == 7
        failure = failure_of(activity_error(error), "pay")
        assert (failure.code, failure.detail, failure.step) == (cls.code, "a sentence", "pay")

    def test_is_final_when_the_attempts_are_used_up(self) -> None:
        assert application_error(Unavailable("away"), FailureDetails(detail="away"), final=True).non_retryable

    def test_of_a_lease_is_expected_and_waits_for_its_end(self) -> None:
        error = application_error(EffectLeased("wait", retry_after_s=4.5), FailureDetails(detail="wait"))
        assert error.category is ApplicationErrorCategory.BENIGN
        assert error.next_retry_delay is not None
        assert error.next_retry_delay.total_seconds() == 4.5

    def test_codes_are_unique_and_kebab(self) -> None:
        codes = [cls.code for cls in error_classes()]
        assert len(codes) == len(set(codes))
        assert all(code == code.lower() and " " not in code and "_" not in code for code in codes)


class TestFailureOf:
    @pytest.mark.parametrize("code", sorted(SURELY_NOT))
    def test_a_first_attempt_that_surely_did_nothing(self, code: str) -> None:
        first = ApplicationError("no", FailureDetails(detail="no", attempt=1).model_dump(), type=code)
        later = ApplicationError("no", FailureDetails(detail="no", attempt=2).model_dump(), type=code)
        assert not failure_of(activity_error(first), "pay").unknown
        assert failure_of(activity_error(later), "pay").unknown, "an earlier attempt may have done it"

    def test_every_sure_code_is_one_of_the_tree(self) -> None:
        assert {cls.code for cls in error_classes()} >= SURELY_NOT

    @pytest.mark.parametrize(
        "code", ["tool-timed-out", "effect-in-doubt", "step-failed", "tool-answer-invalid", "projection-too-large", None]
    )
    def test_any_other_failure_is_unknown(self, code: str | None) -> None:
        assert failure_of(activity_error(ApplicationError("no", type=code)), "pay").unknown

    def test_a_cancelled_call_is_unknown(self) -> None:
        failure = failure_of(activity_error(CancelledError("stopped")), "pay")
        assert (failure.code, failure.unknown) == ("run-cancelled", True)

    def test_temporals_own_timeout_is_the_steps(self) -> None:
        cause = TemporalTimeout("late", type=TimeoutType.SCHEDULE_TO_CLOSE, last_heartbeat_details=[])
        failure = failure_of(activity_error(cause), "pay")
        assert (failure.code, failure.unknown) == ("step-timed-out", True)
        assert "schedule-to-close" in failure.detail

    def test_a_failure_without_a_cause_is_still_one(self) -> None:
        assert failure_of(activity_error(None), "pay") == Failure(code="step-failed", detail="None", step="pay", unknown=True)

    def test_details_of_a_foreign_failure_are_none(self) -> None:
        assert details_of(activity_error(ApplicationError("no"))) is None


class TestStopped:
    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            (IntentAnswer.LEASED, "effect-leased"),
            (IntentAnswer.IN_DOUBT, "effect-in-doubt"),
            (IntentAnswer.DIVERGENT, "effect-divergent"),
            (IntentAnswer.STALE_EPOCH, "stale-epoch"),
            (IntentAnswer.FACT_GAP, "fact-gap"),
            (IntentAnswer.FACT_DIVERGED, "fact-diverged"),
        ],
    )
    def test_names_the_error_of_each_answer(self, answer: IntentAnswer, code: str) -> None:
        assert stopped(IntentVerdict(answer=answer)).code == code
