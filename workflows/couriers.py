"""The courier: starts activities with the facts that ride along, and acknowledges what has arrived (JOURNAL §1). Deterministic."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic import JsonValue
from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ActivityError

from activities.options import (
    COMPENSATION_ATTEMPTS,
    FLUSH_OPTIONS,
    PROMPT_DEADLINE,
    PROMPT_HEARTBEAT,
    ActivityOptions,
    compensation_options,
    effect_options,
    segment_options,
)
from activities.requests import (
    CALL_TOOL,
    COMPLETE_PROMPT,
    RUN_SEGMENT,
    FlushRequest,
    ResolveRequest,
    ToolRequest,
)
from activities.run_records import RunRecordActivities
from domain.budget import BudgetRule
from domain.caps import ProgramCaps
from domain.envelope import Envelope, Receipt
from domain.facts import must_flush
from domain.policy_input import CallInput
from domain.program import PinnedTool, Program, RetryRule
from domain.resets import rebase
from domain.runs import Projection, RunStatus
from domain.segments import Segment
from domain.state import CallTool, CompletePrompt, RenderedUndo, State
from workflows.failures import details_of, reset_of
from workflows.messages import RunInput

WAIT_CANCELLED = workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
"""A cancelled step is waited for: its compensation must not start while it may still run."""

STATUS = SearchAttributeKey.for_keyword("RunStatus")

DOUBTS_TOLD = "doubts-told"
"""Patch: a run that asked a person before it takes answers unattested, and its search attribute never says `in_doubt`."""

SUMMARY_BYTES = 160
"""Longest summary: the server takes 400 bytes of payload, and encryption adds about 200."""


def brief(text: str) -> str:
    """Return a summary cut to what the server takes, at a whole character."""
    return text.encode()[:SUMMARY_BYTES].decode(errors="ignore")


def now_text() -> str:
    """Return workflow time as RFC 3339 UTC with microseconds."""
    return workflow.now().isoformat(timespec="microseconds")


class Courier:
    """Starts activities for one run."""

    def __init__(self, given: RunInput, state: State) -> None:
        self._given = given
        self._state = state
        self._caps = ProgramCaps(given.program)
        self.handles: dict[str, workflow.ActivityHandle[Receipt]] = {}
        self._closing: dict[str, FlushRequest] = {}
        self.shielded: set[str] = set()
        self.unwanted: set[str] = set()
        self._stopping: set[str] = set()
        self.status = RunStatus.RUNNING
        self._shown = RunStatus.RUNNING

    def cap(self, path: str, rule: BudgetRule | None) -> None:
        """Bound what the effects of a step, and of steps inside it, may use; for steps that no program names beforehand."""
        self._caps.add(path, rule)

    @property
    def tenant(self) -> str:
        """The run's tenant."""
        return self._given.tenant

    @property
    def run(self) -> str:
        """The run."""
        return self._given.run

    @property
    def program(self) -> Program:
        """The run's program."""
        return self._given.program

    @property
    def tools(self) -> dict[str, PinnedTool]:
        """The run's tools, by name."""
        return self._given.program.tools

    def envelope(
        self, request: dict[str, JsonValue], *, step: str = "", visit: int = 1, call: str = "", deadline_s: float, project: list[str]
    ) -> Envelope:
        """Return the envelope of an activity of this run, with the facts that ride along."""
        return Envelope(
            tenant=self._given.tenant,
            run=self._given.run,
            epoch=self._state.epoch,
            step=step,
            visit=visit,
            call=call,
            correlation_id=self._given.correlation_id,
            principal=self._given.principal,
            deadline_s=deadline_s,
            facts=list(self._state.unacked),
            request=request,
            project=project,
            caps=list(self._caps.of(step)) if step else [],
            priced_at=self._given.program.priced_at,
        )

    async def call_tool(self, command: CallTool) -> Receipt:
        """Call a tool as a step or an agent's call. Raises: ActivityError."""
        rule = command.retry or RetryRule(max_attempts=command.max_attempts)
        if command.pivot or command.forward:
            self.shielded.add(command.id)
        request = ToolRequest(
            tool=command.tool,
            version=command.version,
            arguments=command.arguments,
            arguments_from=command.arguments_from,
            effect_class=command.effect_class,
            retry_class=command.retry_class,
            max_attempts=COMPENSATION_ATTEMPTS if command.forward else rule.max_attempts,
            cost_usd_micros=command.cost_usd_micros,
            tried=self._state.tried.get(command.id, 0),
            approval=command.approval,
            closing=self._closing.get(command.approval or ""),
            declaration=command.declaration,
            simulate=command.simulate,
            simulated_from=command.simulated_from,
            agent=command.agent,
            policy=command.policy,
        )
        envelope = self.envelope(
            request.model_dump(mode="json"),
            step=command.step,
            visit=command.visit,
            call=command.call,
            deadline_s=command.timeout_s,
            project=command.project,
        )
        deadline, heartbeat = _seconds(command.timeout_s), _maybe(command.heartbeat_s)
        if command.forward:
            options = compensation_options(deadline=deadline, heartbeat=heartbeat, rule=command.retry)
        else:
            options = effect_options(deadline=deadline, heartbeat=heartbeat, rule=rule, bound=_left(command.deadline))
        return await self._effect(command.id, CALL_TOOL, envelope, options, command.summary)

    async def run_segment(self, segment: Segment) -> Receipt:
        """Walk consecutive quick steps in one activity; its facts are acknowledged by the caller. Raises: ActivityError."""
        envelope = self.envelope(segment.to_request(), deadline_s=segment.deadline_s, project=[]).model_copy(
            update={"caps": list(self._caps.of(*segment.all_paths))}
        )
        handle: workflow.ActivityHandle[Receipt] = workflow.start_activity(
            RUN_SEGMENT,
            envelope,
            result_type=Receipt,
            cancellation_type=WAIT_CANCELLED,
            summary=brief(segment.summary),
            **segment_options(deadline=_seconds(segment.deadline_s)),
        )
        if not segment.collect:
            self.handles[RUN_SEGMENT] = handle
        try:
            return await handle
        finally:
            self.handles.pop(RUN_SEGMENT, None)

    async def compensate(self, undo: RenderedUndo, tool: PinnedTool, *, visit: int, call: str) -> Receipt:
        """Call a compensation: many attempts within a day. Raises: ActivityError."""
        request = ToolRequest(
            tool=tool.name,
            version=tool.version,
            arguments=undo.arguments,
            effect_class=tool.effect_class,
            retry_class=tool.retry_class,
            max_attempts=undo.retry.max_attempts if undo.retry is not None else COMPENSATION_ATTEMPTS,
            cost_usd_micros=tool.cost_usd_micros,
            declaration=tool.declaration,
            simulate=self._state.simulation is not None and tool.effect_class.changes_world,
            policy=self._undo_policy(undo, tool),
        )
        envelope = self.envelope(
            request.model_dump(mode="json"), step=undo.step, visit=visit, call=call, deadline_s=tool.timeout_s, project=[]
        ).model_copy(update={"forced": True})
        options = compensation_options(deadline=_seconds(tool.timeout_s), heartbeat=_maybe(tool.heartbeat_s), rule=undo.retry)
        self.shielded.add(f"{undo.step}/{call}")
        return await self._effect(f"{undo.step}/{call}", CALL_TOOL, envelope, options, f"{undo.step}: undo by {tool.name}")

    def _undo_policy(self, undo: RenderedUndo, tool: PinnedTool) -> CallInput:
        """What policy knows of a compensation, also one of a child; anything may have chosen the targets of one that says nothing."""
        strange = CallInput(definition="", origin="undo", kind=tool.kind, sensitive=tool.guarded, taint=["tool:untrusted"])
        return (undo.policy or strange).model_copy(update={"definition": self._given.program.name})

    async def complete_prompt(self, command: CompletePrompt) -> Receipt:
        """Call a model. Raises: ActivityError."""
        rule = command.retry or RetryRule()
        request: dict[str, JsonValue] = {**command.request, "max_attempts": rule.max_attempts}
        deadline_s = PROMPT_DEADLINE.total_seconds()
        envelope = self.envelope(
            request, step=command.step, visit=command.visit, call=command.call, deadline_s=deadline_s, project=command.project
        )
        options = effect_options(deadline=PROMPT_DEADLINE, heartbeat=PROMPT_HEARTBEAT, rule=rule, bound=_left(command.deadline))
        return await self._effect(command.id, COMPLETE_PROMPT, envelope, options, command.summary)

    async def _effect(self, handle_id: str, activity_type: str, envelope: Envelope, options: ActivityOptions, summary: str) -> Receipt:
        try:
            return await self._once(handle_id, activity_type, envelope, options, summary)
        except ActivityError as error:
            if not self.rebased(error):
                raise
        return await self._effect(handle_id, activity_type, self._anew(envelope), options, summary)

    async def _once(self, handle_id: str, activity_type: str, envelope: Envelope, options: ActivityOptions, summary: str) -> Receipt:
        handle: workflow.ActivityHandle[Receipt] = workflow.start_activity(
            activity_type,
            envelope,
            result_type=Receipt,
            cancellation_type=WAIT_CANCELLED,
            summary=brief(summary),
            **options,
        )
        self.handles[handle_id] = handle
        try:
            receipt = await handle
        except ActivityError as error:
            details = details_of(error)
            self.acknowledge(details.fact_head if details else 0)
            raise
        finally:
            self.handles.pop(handle_id, None)
        self.acknowledge(receipt.fact_head)
        return receipt

    def rebased(self, error: ActivityError) -> bool:
        """Whether the failure told of a reset; the state is then where the ledger is, and the activity is to be started again."""
        point = reset_of(error)
        if point is not None:
            rebase(self._state, point)
        return point is not None

    def _anew(self, envelope: Envelope) -> Envelope:
        """Return the envelope of the same request in the epoch of now."""
        return envelope.model_copy(update={"epoch": self._state.epoch, "facts": list(self._state.unacked)})

    def cancel_effects(self) -> None:
        """Ask every running effect to stop, but for compensations and what a pivot decided; their outcomes still come."""
        self.cancel(set(self.handles) - self.shielded)

    def call_off(self, commands: Sequence[str]) -> None:
        """Ask the effects of some commands to stop, those that begin later too."""
        self.unwanted.update(commands)
        self.cancel(set(commands))

    def cancel(self, handles: set[str]) -> None:
        """Ask some running effects to stop, each once."""
        for name, handle in list(self.handles.items()):
            if name in handles and name not in self._stopping:
                self._stopping.add(name)
                handle.cancel()

    async def flush(self, projection: Projection, summary: str) -> None:
        """Write facts and projection; returns when PostgreSQL has them. The search attribute follows the row's status.

        A closing status is shown when the row has it, any other at once.
        """
        status = projection.status
        if status is not None and not status.closed:
            self._show(status)
        await self._flush(projection, summary)
        if status is not None and status.closed:
            self._show(status)

    async def close_approval(self, approval: str, projection: Projection, summary: str) -> None:
        """Flush what closes an approval; a bound call that begins meanwhile takes it along, so that it need not wait for this."""
        self._closing[approval] = FlushRequest(projection=projection, fact_seq=self._state.fact_seq)
        try:
            await self.flush(projection, summary)
        finally:
            del self._closing[approval]

    async def _flush(self, projection: Projection, summary: str) -> None:
        request = FlushRequest(projection=projection, fact_seq=self._state.fact_seq)
        envelope = self.envelope(request.model_dump(mode="json"), deadline_s=30, project=[])
        try:
            receipt = await workflow.execute_activity_method(
                RunRecordActivities.flush_facts, envelope, summary=brief(summary), **FLUSH_OPTIONS
            )
        except ActivityError as error:
            if not self.rebased(error):
                raise
            await self._flush(projection, summary)
            return
        self.acknowledge(receipt.fact_head)

    def closed(self, status: RunStatus) -> None:
        """Show a closing status that the row already has."""
        self._show(status)

    def _show(self, status: RunStatus) -> None:
        self.status = status
        if status is self._shown or (status is RunStatus.IN_DOUBT and not workflow.patched(DOUBTS_TOLD)):
            return
        self._shown = status
        workflow.upsert_search_attributes([STATUS.value_set(status.value)])  # pyright: ignore[reportUnknownMemberType] - the SDK leaves its type argument open

    async def relieve(self) -> None:
        """Flush when the unacknowledged suffix has grown too heavy to ride along (JOURNAL §1.4)."""
        if must_flush(self._state.unacked):
            await self.flush(Projection(), "facts")

    async def resolve(self, command: CallTool, request: ResolveRequest) -> Receipt:
        """Hand a person's answer about an effect in doubt to the journal.

        Raises:
            ActivityError: the journal did not take it.
        """
        envelope = self.envelope(
            request.model_dump(mode="json"),
            step=command.step,
            visit=command.visit,
            call=command.call,
            deadline_s=30,
            project=command.project,
        )
        try:
            receipt = await workflow.execute_activity_method(
                RunRecordActivities.resolve_effect, envelope, summary=brief(f"{command.step}: a person's answer"), **FLUSH_OPTIONS
            )
        except ActivityError as error:
            if not self.rebased(error):
                raise
            return await self.resolve(command, request)
        self.acknowledge(receipt.fact_head)
        return receipt

    @property
    def fact_seq(self) -> int:
        """The number of the run's newest fact."""
        return self._state.fact_seq

    def acknowledge(self, head: int) -> None:
        """Take the facts up to `head` off: the ledger has them (JOURNAL §1.3)."""
        self._state.unacked = [fact for fact in self._state.unacked if fact.seq > head]


def _seconds(value: float) -> timedelta:
    return timedelta(seconds=value)


def _maybe(value: float | None) -> timedelta | None:
    return timedelta(seconds=value) if value is not None else None


def _left(deadline: str | None) -> timedelta | None:
    """The time left until a step's deadline, at least a millisecond: Temporal refuses zero."""
    if deadline is None:
        return None
    return max(datetime.fromisoformat(deadline) - workflow.now(), timedelta(milliseconds=1))
