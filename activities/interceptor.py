"""The journal interceptor: every effect activity passes through it (JOURNAL §2). The one module here that needs temporalio.worker.

Around each effect: intent (or the recorded outcome), the attempt under its own deadline with heartbeats and a renewed lease, then the
outcome, compare-and-set on the attempt's token. It also makes ApplicationErrors of the error tree for every activity.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import cast

from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.attempts import AttemptPlan, plan_attempt, stopped, within_step
from activities.failures import FailureDetails, application_error
from activities.heartbeats import ended
from activities.journal_calls import AttemptName, JournalTools, done_of, failed_of, forestalled, intent_of, lease_ms
from activities.requests import EFFECTS
from domain.effects import EffectState, IntentAnswer, Outcome, OutcomeAnswer, OutcomeVerdict, RecordedOutcome
from domain.envelope import Envelope, Receipt, Usage
from domain.errors import (
    EffectInDoubt,
    RunCancelled,
    RunUnlinked,
    StandfastError,
    StepFailed,
    StepTimedOut,
    ToolTimedOut,
    Unavailable,
)
from domain.estimates import text_bytes
from domain.projection import project

log = logging.getLogger(__name__)

OUTCOME_TRIES = 6
"""How often an outcome is offered to PostgreSQL before the attempt gives up; the effect then stays an intent with a lease."""


class JournalInterceptor(Interceptor):
    """Give it to the worker; one per process."""

    def __init__(self, tools: JournalTools) -> None:
        self._tools = tools

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's parameter name
        """Stand around the activity."""
        return _JournalInbound(next, self._tools)


class _JournalInbound(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, tools: JournalTools) -> None:  # noqa: A002 - the SDK's parameter name
        super().__init__(next)
        self._tools = tools

    async def execute_activity(self, input: ExecuteActivityInput) -> Receipt:  # noqa: A002 - the SDK's parameter name
        try:
            return await self._journaled(input)
        except ApplicationError as error:
            if error.type != RunUnlinked.code or self._tools.resets is None:
                raise
            told = await self._tools.resets.told(cast("Envelope", input.args[0]))
            raise told from error

    async def _journaled(self, input: ExecuteActivityInput) -> Receipt:  # noqa: A002 - the SDK's parameter name
        attempt = activity.info().attempt
        if activity.info().activity_type not in EFFECTS:
            try:
                return cast("Receipt", await super().execute_activity(input))
            except StandfastError as error:
                raise application_error(error, FailureDetails(detail=error.detail, attempt=attempt)) from error
        given = await self._admitted(cast("Envelope", input.args[0]))
        envelope = within_step(given)
        input.args = [envelope]
        return await _Attempt(
            self._tools, envelope, plan_attempt(envelope, self._tools.prices), cut=envelope.deadline_s < given.deadline_s
        ).run(lambda: super(_JournalInbound, self).execute_activity(input))

    async def _admitted(self, envelope: Envelope) -> Envelope:
        """The envelope as its agent may have it done.

        Raises:
            application_error: an ApplicationError: the agent may not run.
        """
        if self._tools.admission is None:
            return envelope
        info = activity.info()
        try:
            return await self._tools.admission.admit(info.activity_type, envelope)
        except StandfastError as error:
            raise application_error(error, FailureDetails(detail=error.detail, attempt=info.attempt)) from error


class _Attempt:
    """One attempt of one effect; `cut` says that its step's time ends before the attempt's own would."""

    def __init__(self, tools: JournalTools, envelope: Envelope, plan: AttemptPlan, *, cut: bool) -> None:
        info = activity.info()
        self._cut = cut
        self._tools = tools
        self._envelope = envelope
        self._plan = plan
        self._number = info.attempt + plan.tried
        heartbeat_s = info.heartbeat_timeout.total_seconds() if info.heartbeat_timeout else None
        self._beat_s = heartbeat_s / 2 if heartbeat_s else None
        self._name = AttemptName(self._number, tools.token(), lease_ms(envelope.deadline_s, heartbeat_s))
        self._fact_head = 0
        self._limit_s = envelope.deadline_s
        self._lease_lost = False

    async def run(self, do: Callable[[], "asyncio.Future[object] | object"]) -> Receipt:
        """Intent, attempt, outcome. Raises: ApplicationError, with the code of the error tree as its type."""
        if self._envelope.deadline_s <= 0:
            raise self._error(StepTimedOut("the step's time was over before this attempt began")) from None
        try:
            self._tools.fault_point("before-intent", self._plan.key.step, self._plan.key.call)
            verdict = await self._tools.journal.intent(intent_of(self._plan, self._envelope, self._name, self._tools.clock()))
        except StandfastError as error:
            raise self._error(error) from error
        self._fact_head = verdict.fact_head
        if verdict.answer in (IntentAnswer.DONE, IntentAnswer.FAILED) and verdict.recorded is not None:
            return self._recorded(verdict.recorded)
        if verdict.answer is not IntentAnswer.GO:
            raise self._error(stopped(verdict)) from None
        self._tools.fault_point("after-intent", self._plan.key.step, self._plan.key.call)
        self._limit_s = verdict.limited(self._envelope.deadline_s)
        return await self._go(do)

    def _recorded(self, recorded: RecordedOutcome) -> Receipt:
        if recorded.state is EffectState.FAILED:
            error = recorded.error or {"code": "step-failed", "detail": "it failed before"}
            details = FailureDetails(detail=error["detail"], attempt=self._number, fact_head=self._fact_head, recorded=True)
            raise ApplicationError(error["detail"], details.model_dump(mode="json"), type=error["code"], non_retryable=True)
        try:
            fields = project(recorded.output, self._envelope.project)
        except StandfastError as error:
            raise self._error(error) from error
        return Receipt(
            fact_head=self._fact_head,
            ref=recorded.output_ref,
            digest=recorded.output_digest,
            fields=fields,
            usage=recorded.usage,
            replayed=True,
            size=text_bytes(recorded.output),
        )

    async def _go(self, do: Callable[[], "asyncio.Future[object] | object"]) -> Receipt:
        started = asyncio.get_running_loop().time()
        beat = asyncio.create_task(self._keep_alive(asyncio.current_task()))
        try:
            async with asyncio.timeout(self._limit_s):
                receipt = cast("Receipt", await cast("asyncio.Future[object]", do()))
        except TimeoutError as late:
            waited = f"no answer within {self._limit_s:g} s; whether it happened is unknown"
            raise await self._failed(StepTimedOut(waited) if self._cut else ToolTimedOut(waited), unknown=True) from late
        except asyncio.CancelledError:
            await asyncio.shield(self._cancelled())
            raise
        except StandfastError as error:
            raise await self._failed(error, unknown=isinstance(error, ToolTimedOut)) from error
        except Exception as error:
            log.exception("%s broke", self._plan.subject)
            broke = StepFailed(f"{self._plan.subject} broke with {type(error).__name__}; whether it happened is unknown")
            raise await self._failed(broke, unknown=True) from error
        finally:
            await ended(beat)  # an error of the heartbeat never replaces what the attempt gave
            if not beat.cancelled() and beat.exception() is not None:
                log.warning("the heartbeat of %s broke: %s", self._plan.subject, beat.exception())
        self._tools.fault_point("after-effect", self._plan.key.step, self._plan.key.call)
        took = int(1000 * (asyncio.get_running_loop().time() - started))
        return await self._done(receipt, receipt.usage.model_copy(update={"duration_ms": took}))

    async def _keep_alive(self, attempt: "asyncio.Task[object] | None") -> None:
        """Beat at half the heartbeat timeout and renew the lease; an attempt whose lease is gone ends itself."""
        if self._beat_s is None:
            return
        while True:
            activity.heartbeat()
            try:
                held = await self._tools.journal.renew(self._plan.key, lease_token=self._name.token, lease_ms=self._name.lease_ms)
            except StandfastError:
                held = True
            if not held and attempt is not None:
                self._lease_lost = True
                attempt.cancel()
                return
            await asyncio.sleep(self._beat_s)

    async def _done(self, receipt: Receipt, usage: Usage) -> Receipt:
        fields, fault = {}, None
        try:
            fields = project(receipt.output, self._envelope.project)
        except StandfastError as error:
            fault = error
        told = receipt.model_copy(update={"usage": usage})
        verdict = await self._record(done_of(self._plan, self._envelope, self._name, self._tools.clock(), told))
        self._tools.fault_point("after-outcome", self._plan.key.step, self._plan.key.call)
        self._fact_head = verdict.fact_head or self._fact_head
        if verdict.answer is OutcomeAnswer.SETTLED_LATE:
            raise self._error(forestalled())
        if fault is not None:
            raise self._error(fault) from fault
        return Receipt(
            fact_head=self._fact_head,
            ref=verdict.output_ref,
            digest=verdict.output_digest,
            fields=fields,
            usage=usage,
            size=text_bytes(receipt.output),
        )

    async def _failed(self, error: StandfastError, *, unknown: bool) -> ApplicationError:
        doubt = unknown and self._plan.at_most_once
        final = self._number >= self._plan.max_attempts or not error.retryable
        await self._record(failed_of(self._plan, self._envelope, self._name, self._tools.clock(), error, final=final, doubt=doubt))
        if doubt:
            error = EffectInDoubt(f"{self._plan.subject}: {error.detail}")
        return self._error(error, final=final)

    async def _cancelled(self) -> None:
        detail = "the lease was lost" if self._lease_lost else RunCancelled.title
        error = RunCancelled(f"{detail}; whether it happened is unknown")
        with contextlib.suppress(ApplicationError):
            doubt = self._plan.at_most_once
            await self._record(failed_of(self._plan, self._envelope, self._name, self._tools.clock(), error, final=False, doubt=doubt))

    async def _record(self, outcome: Outcome) -> OutcomeVerdict:
        """Record the outcome; a cancellation that comes meanwhile does not cut it: what is known of the effect is not lost."""
        offer = asyncio.create_task(self._offer(outcome))
        try:
            return await asyncio.shield(offer)
        except asyncio.CancelledError:
            return await offer

    async def _offer(self, outcome: Outcome) -> OutcomeVerdict:
        """Offer the outcome until PostgreSQL takes it: the effect is done, only its record is missing.

        Raises:
            AssertionError: never; the loop returns or raises.
        """
        for left in range(OUTCOME_TRIES - 1, -1, -1):
            try:
                return await self._tools.journal.outcome(outcome)
            except Unavailable as error:
                if left == 0:
                    raise self._error(error) from error
                log.warning("the outcome of %s waits for PostgreSQL: %s", self._plan.subject, error.detail)
                await asyncio.sleep(0.25 * 2 ** (OUTCOME_TRIES - left))
            except StandfastError as error:
                raise self._error(error) from error
        raise AssertionError("the loop returns or raises")

    def _error(self, error: StandfastError, *, final: bool = False) -> ApplicationError:
        details = FailureDetails(
            detail=error.detail, attempt=self._number, fact_head=self._fact_head, recorded=isinstance(error, StepFailed)
        )
        return application_error(error, details, final=final)
