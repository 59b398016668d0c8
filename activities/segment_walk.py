"""One attempt of a segment: the walk over its calls, each durable by its own intent and outcome (JOURNAL §12)."""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from datetime import timedelta
from typing import TypeVar

from temporalio import activity

from activities.attempts import plan_tool_call, stopped
from activities.journal_calls import AttemptName, JournalTools, done_of, failed_of, forestalled, intent_of, lease_ms
from activities.options import MARGIN, SEGMENT_ATTEMPTS
from activities.requests import ToolRequest
from activities.segment_calls import ALONE, Checks, Made, Ongoing, Stop
from activities.tool_calls import ToolActivities
from domain.canonical import plain_digest
from domain.effects import IntentAnswer, IntentVerdict, Outcome, OutcomeAnswer, OutcomeVerdict
from domain.envelope import Envelope, Receipt
from domain.errors import RunCancelled, StandfastError, StepFailed, ToolTimedOut
from domain.program import RetryRule
from domain.projection import project
from domain.segments import Segment, SegmentOutcome, SegmentResult, SegmentStepper
from domain.state import CallTool, Command, Done, Finish

log = logging.getLogger(__name__)

T = TypeVar("T")

BEAT_MAX = timedelta(seconds=1)
"""A segment beats so often, or more often: a cancellation comes with the answer to a beat. The quickest segments never beat."""


class Walk:
    """One attempt of a segment."""

    def __init__(self, tools: ToolActivities, journal: JournalTools, envelope: Envelope) -> None:
        self._tools, self._journal, self._given = tools, journal, envelope
        self._checks = Checks(tools)
        self._segment = Segment.of_request(envelope.request)
        self.stepper: SegmentStepper = self._segment.stepper(
            tenant=envelope.tenant, run=envelope.run, principal=envelope.principal, facts=envelope.facts
        )
        self.result = SegmentResult()
        self.fact_head = 0
        self._cancelled = False
        self._current: Ongoing | None = None
        info = activity.info()
        self._attempt = info.attempt
        self._collect = self._segment.collect or info.attempt > SEGMENT_ATTEMPTS
        timeout = info.heartbeat_timeout
        self._beat_s = min(timeout / 4, BEAT_MAX).total_seconds() if timeout else None
        self._lease_max_s = timeout.total_seconds() if timeout else None
        limit = info.start_to_close_timeout or MARGIN
        self._ends_at = asyncio.get_running_loop().time() + (limit - MARGIN).total_seconds()

    def receipt(self) -> Receipt:
        """Return what the activity answers."""
        return Receipt(fact_head=self.fact_head, fields=self.result.to_fields())

    def envelope(self) -> Envelope:
        """Return the segment's own envelope with the facts that no transaction has brought yet."""
        facts = [fact for fact in self.stepper.state.unacked if fact.seq > self.fact_head]
        return self._given.model_copy(update={"facts": facts, "request": {}})

    async def run(self) -> Finish | None:
        """Walk; return how the run ends when it ends here.

        Raises:
            stopped: what it makes of a verdict that is no answer.
        """
        try:
            return await self._walk()
        finally:
            await self._checks.aclose()

    async def _walk(self) -> Finish | None:
        commands = self.stepper.start(self._segment.tick)
        verdict: IntentVerdict | None = None
        while (call := self._next(commands)) is not None:
            if verdict is None:
                verdict = await self._begin(call)
            if verdict.answer is IntentAnswer.DONE and verdict.recorded is not None:
                recorded = verdict.recorded
                receipt = self._projected(call, Receipt(ref=recorded.output_ref, digest=recorded.output_digest, output=recorded.output))
                if receipt is None:
                    return self._stop(Stop(call.command.id))
                commands, verdict = self._take(call, receipt.model_copy(update={"usage": recorded.usage, "replayed": True})), None
                continue
            if verdict.answer in ALONE:
                return self._stop(Stop(call.command.id))
            if verdict.answer is not IntentAnswer.GO:
                raise stopped(verdict)
            made = await self._make(call, verdict.limited(call.command.timeout_s)) if self._may_call() else self._untried(call)
            if isinstance(made, Stop):
                await self._settle(made.outcome)
                return self._stop(made)
            commands = self._take(call, made.receipt)
            verdict = await self._advance(call, made.outcome, self._next(commands))
            if verdict is None and self._next(commands) is not None:
                return None
        return next((command for command in commands if isinstance(command, Finish)), None)

    def _may_call(self) -> bool:
        return not (self._collect or self._cancelled)

    def _stop(self, stop: Stop) -> None:
        self.result.stopped, self.result.wait_s, self.result.tried = stop.command, stop.wait_s, int(stop.again or self._attempt > 1)

    def _next(self, commands: list[Command]) -> Ongoing | None:
        """The call that the stepper asks for, ready to go; the same while it is not settled."""
        command = next((one for one in commands if isinstance(one, CallTool)), None)
        if command is None:
            return None
        if self._current is None or self._current.command.id != command.id:
            self._current = self._ready(command)
        return self._current

    def _ready(self, command: CallTool) -> Ongoing:
        rule = command.retry
        request = ToolRequest(
            tool=command.tool,
            version=command.version,
            arguments=command.arguments,
            effect_class=command.effect_class,
            retry_class=command.retry_class,
            max_attempts=command.max_attempts if rule is None else rule.max_attempts,
            declaration=command.declaration,
            cost_usd_micros=command.cost_usd_micros,
            simulate=command.simulate,
            simulated_from=command.simulated_from,
            agent=command.agent,
            policy=command.policy,
        )
        envelope = self._given.model_copy(
            update={
                "step": command.step,
                "visit": command.visit,
                "call": command.call,
                "deadline_s": command.timeout_s,
                "facts": [],
                "request": {},
                "project": command.project,
                "caps": [cap for cap in self._given.caps if cap.covers(command.step)],
            }
        )
        name = AttemptName(self._attempt, self._journal.token(), lease_ms(command.timeout_s, self._lease_max_s))
        return Ongoing(command, envelope, request, plan_tool_call(envelope, request), name)

    def _carrying(self, call: Ongoing) -> Envelope:
        return call.envelope.model_copy(update={"facts": self.envelope().facts})

    async def _begin(self, call: Ongoing) -> IntentVerdict:
        self._point("before-intent", call)
        if self._may_call():
            self._checks.begin(call)
        verdict = await self.kept(
            self._journal.journal.intent(intent_of(call.plan, self._carrying(call), call.name, self._journal.clock()))
        )
        self.fact_head = max(self.fact_head, verdict.fact_head)
        self._point("after-intent", call)
        return verdict

    async def _make(self, call: Ongoing, limit_s: float) -> Made | Stop:
        """Make the call under its own deadline, or the time a budget leaves it; a failure is told as the outcome to record."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        unknown = "whether it happened is unknown"
        try:
            made = await self._whole(self._timed(call, limit_s))
        except TimeoutError:
            return self._failed(call, ToolTimedOut(f"no answer within {limit_s:g} s; {unknown}"))
        except asyncio.CancelledError:
            return self._taken_back(call, f"{RunCancelled.title}; {unknown}")
        except StandfastError as error:
            return self._failed(call, error)
        except Exception as error:
            log.exception("%s broke", call.plan.subject)
            return self._failed(call, StepFailed(f"{call.plan.subject} broke with {type(error).__name__}; {unknown}"))
        self._point("after-effect", call)
        usage = made.usage.model_copy(update={"duration_ms": int(1000 * (loop.time() - started))})
        whole = made.model_copy(update={"usage": usage, "ref": self._journal.token(), "digest": plain_digest(made.output)})
        outcome = done_of(call.plan, call.envelope, call.name, self._journal.clock(), whole)
        receipt = self._projected(call, whole)
        return Stop(call.command.id, outcome=outcome) if receipt is None else Made(receipt, outcome)

    async def _timed(self, call: Ongoing, limit_s: float) -> Receipt:
        async with asyncio.timeout(limit_s):
            return await self._tools.make(await self._checks.of(call))

    async def _whole(self, work: Coroutine[None, None, T]) -> T:
        """Let a quick call end although the run is cancelled meanwhile; what else ends the activity ends the call too.

        Raises:
            asyncio.CancelledError: the worker stops, or this attempt is given up.
        """
        task = asyncio.create_task(work)
        while True:
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                self._cancelled = True
                details = activity.cancellation_details()
                if task.done():
                    return task.result()
                if activity.is_worker_shutdown() or details is None or not details.cancel_requested:
                    task.cancel()
                    await asyncio.wait({task})
                    raise

    def _failed(self, call: Ongoing, error: StandfastError) -> Stop:
        """A try that failed; the call goes on alone, where it has one try less."""
        final = not error.retryable or call.plan.max_attempts <= 1
        rule = call.command.retry or RetryRule()
        pause_s = rule.delay_s if error.retry_after_s is None else error.retry_after_s
        return Stop(call.command.id, wait_s=0.0 if final else pause_s, again=not final, outcome=self._failure(call, error, final=final))

    def _taken_back(self, call: Ongoing, detail: str) -> Stop:
        return Stop(call.command.id, again=True, outcome=self._failure(call, RunCancelled(detail), final=False))

    def _untried(self, call: Ongoing) -> Stop:
        """Give back a call that this attempt may not make."""
        return self._taken_back(call, "the segment ended before this call was made")

    def _failure(self, call: Ongoing, error: StandfastError, *, final: bool) -> Outcome:
        return failed_of(call.plan, call.envelope, call.name, self._journal.clock(), error, final=final, doubt=False)

    def _projected(self, call: Ongoing, receipt: Receipt) -> Receipt | None:
        """The receipt as the workflow gets it; None when its fields are too large, which the call alone then tells."""
        try:
            fields = project(receipt.output, call.command.project)
        except StandfastError:
            return None
        return receipt.model_copy(update={"output": None, "fields": fields})

    def _take(self, call: Ongoing, receipt: Receipt) -> list[Command]:
        """Tell the stepper; the outcome counts for the workflow once the journal has it."""
        self.result.outcomes.append(SegmentOutcome(command=call.command.id, receipt=receipt))
        return self.stepper.apply(Done(command=call.command.id, receipt=receipt), self._segment.tick)

    async def _advance(self, call: Ongoing, outcome: Outcome, following: Ongoing | None) -> IntentVerdict | None:
        """Record an outcome and begin the next call with it, unless there is none, or the walk is to end here."""
        if following is None or not self._goes_on(following):
            await self._settle(outcome)
            self._point("after-outcome", call)
            return None
        intent = intent_of(following.plan, self._carrying(following), following.name, self._journal.clock())
        self._checks.begin(following)
        ended, begun = await self.kept(self._journal.journal.advance(outcome, intent))
        self._stands(ended)
        self._point("after-outcome", call)
        if begun is not None:
            self.fact_head = max(self.fact_head, begun.fact_head)
            self._point("after-intent", following)
        return begun

    async def _settle(self, outcome: Outcome | None) -> None:
        if outcome is not None:
            self._stands(await self.kept(self._journal.journal.outcome(outcome)))

    def _stands(self, ended: OutcomeVerdict) -> None:
        """Refuse to go on from an outcome that another attempt's forestalled.

        Raises:
            forestalled: an EffectLeased, if it was.
        """
        self.fact_head = max(self.fact_head, ended.fact_head)
        if ended.answer is OutcomeAnswer.SETTLED_LATE:
            raise forestalled()

    def _goes_on(self, following: Ongoing) -> bool:
        left_s = self._ends_at - asyncio.get_running_loop().time()
        return not self._cancelled and left_s >= following.command.timeout_s and not activity.is_worker_shutdown()

    async def kept(self, work: Coroutine[None, None, T]) -> T:
        """Finish a journal call even when a cancellation comes meanwhile: it takes effect between calls."""
        task = asyncio.create_task(work)
        while not task.done():
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                self._cancelled = True
        return task.result()

    async def keep_alive(self) -> None:
        """Beat with the step reached, which also lets a cancellation come, and renew the lease of the call on its way."""
        while self._beat_s is not None:
            await asyncio.sleep(self._beat_s)
            activity.heartbeat(self._current.command.step if self._current is not None else "")
            if (call := self._current) is not None:
                with contextlib.suppress(StandfastError):
                    await self._journal.journal.renew(call.plan.key, lease_token=call.name.token, lease_ms=call.name.lease_ms)

    def _point(self, name: str, call: Ongoing) -> None:
        self._journal.fault_point(name, call.command.step, call.command.call)
