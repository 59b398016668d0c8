"""`standfast.run_segment`: one activity walks the stepper over quick calls, each durable by its own intent and outcome (JOURNAL §12).

The outcome of one call and the intent of the next are one transaction. After a crash the next attempt gets the recorded outcomes and goes
on at the first open call. A call that fails is recorded so and stops the segment: the workflow makes it again as an activity of its own,
with its retries. Cancellation stops between calls, and what is done is told.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TypeVar

from temporalio import activity

from activities.attempts import AttemptPlan, plan_tool_call, stopped
from activities.effects import ToolActivities
from activities.journal_calls import AttemptName, JournalTools, done_of, failed_of, intent_of
from activities.options import LEASE_MARGIN, MARGIN, SEGMENT_ATTEMPTS
from activities.requests import RUN_SEGMENT, ToolRequest
from activities.run_records import carrier_of
from domain.canonical import plain_digest
from domain.effects import IntentAnswer, IntentVerdict, Outcome, OutcomeAnswer, OutcomeVerdict
from domain.envelope import Envelope, Receipt
from domain.errors import EffectLeased, RunCancelled, StandfastError, StepFailed, StepTimedOut
from domain.projection import project
from domain.runs import Projection, RunLedger, RunStatus
from domain.segments import Segment, SegmentOutcome, SegmentResult, SegmentStepper
from domain.state import CallTool, Command, Done, Finish

T = TypeVar("T")


class SegmentActivities:
    """Runs segments."""

    def __init__(self, *, tools: ToolActivities, journal: JournalTools, run_ledger: RunLedger) -> None:
        self._tools = tools
        self._journal = journal
        self._ledger = run_ledger

    @activity.defn(name=RUN_SEGMENT)
    async def run_segment(self, envelope: Envelope) -> Receipt:
        """Walk as far as quick calls lead; the receipt's fields are a `SegmentResult`.

        Raises:
            EffectLeased: an earlier attempt may still be alive, or its outcome came first; the next attempt reads it.
            StaleEpoch, FactDiverged, FactGap, Unavailable: as the journal says; nothing that was recorded is lost.
        """
        walk = _Walk(self._tools, self._journal, envelope)
        beat = asyncio.create_task(walk.keep_alive())
        try:
            finish = await walk.run()
            if finish is not None:
                await self._close(walk, finish)
        finally:
            beat.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beat
        return walk.receipt()

    async def _close(self, walk: "_Walk", finish: Finish) -> None:
        """Write what the run's end would write, merged into this activity (JOURNAL §1.5)."""
        state = walk.stepper.state
        projection = Projection(status=RunStatus.SUCCEEDED, result=finish.output, usage=state.usage)
        walk.fact_head = await walk.kept(self._ledger.flush(carrier_of(walk.envelope()), projection, fact_seq=state.fact_seq))
        walk.result.finished = True


@dataclass
class _Call:
    """A call on its way: its command, envelope, plan and attempt."""

    command: CallTool
    envelope: Envelope
    plan: AttemptPlan
    name: AttemptName


@dataclass
class _Stop:
    """Why the walk goes no further with a call; `wait_s` is the pause before it is made again."""

    command: str
    wait_s: float = 0.0
    outcome: Outcome | None = None


@dataclass
class _Made:
    """A call that succeeded: what the stepper takes, and what the journal is to record."""

    receipt: Receipt
    outcome: Outcome


class _Walk:
    """One attempt of a segment."""

    def __init__(self, tools: ToolActivities, journal: JournalTools, envelope: Envelope) -> None:
        self._tools, self._journal, self._given = tools, journal, envelope
        self._segment = Segment.of_request(envelope.request)
        self.stepper: SegmentStepper = self._segment.stepper(
            tenant=envelope.tenant, run=envelope.run, principal=envelope.principal, facts=envelope.facts
        )
        self.result = SegmentResult()
        self.fact_head = 0
        self._cancelled = False
        self._current: _Call | None = None
        info = activity.info()
        self._attempt = info.attempt
        self._collect = self._segment.collect or info.attempt > SEGMENT_ATTEMPTS
        self._beat_s = info.heartbeat_timeout.total_seconds() / 2 if info.heartbeat_timeout else None
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
        commands = self.stepper.start(self._segment.tick)
        verdict: IntentVerdict | None = None
        while (call := self._next(commands)) is not None:
            if verdict is None:
                verdict = await self._begin(call)
            if verdict.answer is IntentAnswer.DONE and verdict.recorded is not None:
                recorded = verdict.recorded
                receipt = self._projected(call, Receipt(ref=recorded.output_ref, digest=recorded.output_digest, output=recorded.output))
                if receipt is None:
                    return self._stopped(_Stop(call.command.id))
                commands, verdict = self._take(call, receipt.model_copy(update={"usage": recorded.usage, "replayed": True})), None
                continue
            if verdict.answer is IntentAnswer.FAILED:
                return self._stopped(_Stop(call.command.id))
            if verdict.answer is not IntentAnswer.GO:
                raise stopped(verdict)
            made = self._untried(call) if self._collect else await self._make(call)
            if isinstance(made, _Stop):
                await self._settle(made.outcome)
                return self._stopped(made)
            commands = self._take(call, made.receipt)
            verdict = await self._advance(call, made.outcome, self._next(commands))
            if verdict is None and self._next(commands) is not None:
                return None
        return next((command for command in commands if isinstance(command, Finish)), None)

    def _stopped(self, stop: _Stop) -> None:
        self.result.stopped, self.result.wait_s = stop.command, stop.wait_s

    def _next(self, commands: list[Command]) -> _Call | None:
        """The call that the stepper asks for, ready to go; the same while it is not settled."""
        command = next((one for one in commands if isinstance(one, CallTool)), None)
        if command is None:
            return None
        if self._current is None or self._current.command.id != command.id:
            self._current = self._ready(command)
        return self._current

    def _ready(self, command: CallTool) -> _Call:
        request = ToolRequest(
            tool=command.tool,
            version=command.version,
            arguments=command.arguments,
            effect_class=command.effect_class,
            retry_class=command.retry_class,
            max_attempts=command.max_attempts,
            declaration=command.declaration,
            simulate=command.simulate,
            simulated_from=command.simulated_from,
        )
        envelope = self._given.model_copy(
            update={
                "step": command.step,
                "visit": command.visit,
                "call": command.call,
                "deadline_s": command.timeout_s,
                "facts": [],
                "request": request.model_dump(mode="json"),
                "project": command.project,
            }
        )
        lease_s = command.timeout_s + LEASE_MARGIN.total_seconds()
        if self._beat_s is not None:
            lease_s = min(lease_s, 2 * self._beat_s)
        name = AttemptName(self._attempt, self._journal.token(), int(1000 * lease_s))
        return _Call(command, envelope, plan_tool_call(envelope, request), name)

    def _carrying(self, call: _Call) -> Envelope:
        return call.envelope.model_copy(update={"facts": self.envelope().facts})

    async def _begin(self, call: _Call) -> IntentVerdict:
        self._point("before-intent", call)
        verdict = await self.kept(
            self._journal.journal.intent(intent_of(call.plan, self._carrying(call), call.name, self._journal.clock()))
        )
        self.fact_head = max(self.fact_head, verdict.fact_head)
        self._point("after-intent", call)
        return verdict

    async def _make(self, call: _Call) -> _Made | _Stop:
        """Make the call under its own deadline; a failure is told as the outcome to record."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(call.command.timeout_s):
                made = await self._tools.call_tool(call.envelope)
        except TimeoutError:
            late = f"no answer within {call.command.timeout_s:g} s; whether it happened is unknown"
            return self._failed(call, StepTimedOut(late), retryable=True)
        except asyncio.CancelledError:
            self._cancelled = True
            return self._failed(call, RunCancelled("cancelled while it ran; whether it happened is unknown"), retryable=True)
        except StandfastError as error:
            return self._failed(call, error, retryable=error.retryable)
        except Exception as error:  # noqa: BLE001 - whatever a tool raises fails its step, never the segment
            return self._failed(call, StepFailed(f"{call.plan.subject} broke with {type(error).__name__}"), retryable=True)
        self._point("after-effect", call)
        usage = made.usage.model_copy(update={"duration_ms": int(1000 * (loop.time() - started))})
        whole = made.model_copy(update={"usage": usage, "ref": self._journal.token(), "digest": plain_digest(made.output)})
        outcome = done_of(call.plan, call.envelope, call.name, self._journal.clock(), whole)
        receipt = self._projected(call, whole)
        return _Stop(call.command.id, outcome=outcome) if receipt is None else _Made(receipt, outcome)

    def _failed(self, call: _Call, error: StandfastError, *, retryable: bool) -> _Stop:
        final = not retryable or self._attempt >= call.plan.max_attempts
        recorded = {"code": error.code, "detail": error.detail, "retryable": "false" if final else "true"}
        outcome = failed_of(call.plan, call.envelope, call.name, self._journal.clock(), recorded, doubt=False)
        rule = call.command.retry
        pause_s = error.retry_after_s if error.retry_after_s is not None else (rule.delay_s if rule is not None else 1.0)
        return _Stop(call.command.id, wait_s=0.0 if final or self._cancelled else pause_s, outcome=outcome)

    def _untried(self, call: _Call) -> _Stop:
        """Give back a call that this attempt may not make."""
        return self._failed(call, RunCancelled("the segment ended before this call was made"), retryable=True)

    def _projected(self, call: _Call, receipt: Receipt) -> Receipt | None:
        """The receipt as the workflow gets it; None when its fields are too large, which the call alone then tells."""
        try:
            fields = project(receipt.output, call.command.project)
        except StandfastError:
            return None
        return receipt.model_copy(update={"output": None, "fields": fields})

    def _take(self, call: _Call, receipt: Receipt) -> list[Command]:
        """Tell the stepper; the outcome counts for the workflow once the journal has it."""
        self.result.outcomes.append(SegmentOutcome(command=call.command.id, receipt=receipt))
        return self.stepper.apply(Done(command=call.command.id, receipt=receipt), self._segment.tick)

    async def _advance(self, call: _Call, outcome: Outcome, following: _Call | None) -> IntentVerdict | None:
        """Record an outcome and begin the next call with it, unless there is none, or the walk is to end here."""
        if following is None or not self._goes_on(following):
            await self._settle(outcome)
            self._point("after-outcome", call)
            return None
        intent = intent_of(following.plan, self._carrying(following), following.name, self._journal.clock())
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
            EffectLeased: it was.
        """
        self.fact_head = max(self.fact_head, ended.fact_head)
        if ended.answer is OutcomeAnswer.SETTLED_LATE:
            raise EffectLeased("another attempt's outcome stands; the next attempt reads it", retry_after_s=0.05)

    def _goes_on(self, following: _Call) -> bool:
        left_s = self._ends_at - asyncio.get_running_loop().time()
        return not self._cancelled and left_s >= following.command.timeout_s and not activity.is_worker_shutdown()

    async def kept(self, work: Coroutine[None, None, T]) -> T:
        """Finish a journal call even when a cancellation comes meanwhile: it takes effect between calls."""
        task = asyncio.create_task(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._cancelled = True
            return await task

    async def keep_alive(self) -> None:
        """Beat at half the heartbeat timeout with the step reached, and renew the lease of the call on its way."""
        while self._beat_s is not None:
            current = self._current
            activity.heartbeat(current.command.step if current is not None else "")
            await asyncio.sleep(self._beat_s)
            if current is not None and current is self._current:
                with contextlib.suppress(StandfastError):
                    await self._journal.journal.renew(current.plan.key, lease_token=current.name.token, lease_ms=current.name.lease_ms)

    def _point(self, name: str, call: _Call) -> None:
        self._journal.fault_point(name, call.command.step, call.command.call)
