"""What the gateway asks of Temporal, as a port, and the port on the SDK's client.

Every call first binds the workflow to its tenant, because the payload codec encrypts per tenant.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Protocol, cast

from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import (
    Priority,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from domain.approval import Decision
from domain.errors import ApprovalClosed, RunClosed, StandfastError, Unavailable, error_classes
from domain.model import Value
from domain.runs import RunStatus
from workflows.messages import (
    APPROVE,
    COMPENSATE,
    COMPLETE_TASK,
    DECIDE_APPROVAL,
    DELIVER_SIGNAL,
    RUN_STATE,
    RUN_WORKFLOW,
    TASK_QUEUE,
    DecisionResult,
    RunInput,
    RunState,
    Signal,
    TaskCompletion,
)

RPC_TIMEOUT = timedelta(seconds=5)
"""A client waits this long for its 503 while Temporal is down."""

ANSWER_MARGIN = timedelta(seconds=1)
"""A decision's own timeout, which means unknown, fires before the bound that means unavailable."""

RESENDS = 3
"""How often a decision is sent anew when the run went on as a new one under it (JOURNAL §9)."""

UPDATE_CUT_OFF = "AcceptedUpdateCompletedWorkflow"
"""Type of the server's failure when a run closed or went on with an update accepted and not answered."""

_PASSING = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.ABORTED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.INTERNAL,
        RPCStatusCode.UNKNOWN,
    }
)

BindTenant = Callable[[str, str], None]
"""Tells the codec whose a workflow is: (workflow id, tenant)."""


class RunDescription(Value):
    """What Temporal says of a run: `status` is its own word in lower case (running, completed, terminated …)."""

    status: str
    closed: bool
    temporal_run_id: str


class RunStarter(Protocol):
    """Temporal, as the gateway and the sweeper use it. A run that has ended raises RunClosed, a silent server Unavailable."""

    async def start(self, start: RunInput, *, summary: str) -> None:
        """Start the run's workflow; already started is success."""
        ...

    async def restart(self, start: RunInput, *, summary: str, after: str) -> None:
        """Start the next epoch of a run whose Temporal run `after` ('': forgotten) has ended; started before is success."""
        ...

    async def decide(self, tenant: str, run: str, decision: Decision, *, timeout_s: float) -> DecisionResult | None:
        """Send a decision as an update under its own id; None when no answer came in time (it may still be applied).

        Raises:
            the refusing side's own error (ApprovalClosed, StaleDigest, Forbidden, NotFound), RunClosed, Unavailable.
        """
        ...

    async def approve(self, tenant: str, run: str, decision: Decision) -> None:
        """Send a decision as the signal `approve`. Raises: RunClosed, Unavailable."""
        ...

    async def complete_task(self, tenant: str, run: str, completion: TaskCompletion) -> None:
        """Tell the run a person's answer. Raises: RunClosed, Unavailable."""
        ...

    async def deliver_signal(self, tenant: str, run: str, signal: Signal) -> None:
        """Send a run what one of its steps listens for, now or later. Raises: RunClosed, Unavailable."""
        ...

    async def cancel(self, tenant: str, run: str) -> None:
        """Ask the run to stop; its compensations run. Raises: RunClosed, Unavailable."""
        ...

    async def compensate(self, tenant: str, run: str) -> None:
        """Have the run undo what its open sagas did, and fail. Raises: RunClosed, Unavailable."""
        ...

    async def describe(self, tenant: str, run: str) -> RunDescription | None:
        """Return what Temporal knows, or None when it knows no such run. Raises: Unavailable."""
        ...

    async def state(self, tenant: str, run: str) -> RunState:
        """Ask the run itself (query `run_state`; needs a worker). Raises: RunClosed, Unavailable."""
        ...


class UpdateHandle(Protocol):
    """The one form of the SDK's `execute_update` that is used here."""

    async def execute_update(self, update: str, arg: Decision, *, id: str, result_type: type, rpc_timeout: timedelta) -> DecisionResult:  # noqa: A002  # the SDK's own name
        """Send an update and wait for its result."""
        ...


class TemporalRuns:
    """The port on a Temporal client; `bind_tenant` is the codec's registry of workflows, `rpc_timeout` bounds every call but `decide`."""

    def __init__(
        self, client: Client, bind_tenant: BindTenant, *, rpc_timeout: timedelta = RPC_TIMEOUT, task_queue: str = TASK_QUEUE
    ) -> None:
        self._rpc_timeout = rpc_timeout
        self._queue = task_queue
        self._client = client
        self._bind = bind_tenant

    async def start(self, start: RunInput, *, summary: str) -> None:
        """Start with USE_EXISTING and REJECT_DUPLICATE; the fairness key is the tenant."""
        self._bind(start.run, start.tenant)
        async with _translated(start.run, self._rpc_timeout):
            try:
                await self._begin(start, summary, WorkflowIDConflictPolicy.USE_EXISTING, WorkflowIDReusePolicy.REJECT_DUPLICATE)
            except WorkflowAlreadyStartedError:
                return

    async def _begin(self, start: RunInput, summary: str, conflict: WorkflowIDConflictPolicy, reuse: WorkflowIDReusePolicy) -> None:
        await self._client.start_workflow(
            RUN_WORKFLOW,
            start,
            id=start.run,
            task_queue=self._queue,
            id_conflict_policy=conflict,
            id_reuse_policy=reuse,
            search_attributes=_search_attributes(start),
            static_summary=summary,
            priority=Priority(fairness_key=start.tenant),
            rpc_timeout=self._rpc_timeout,
        )

    async def restart(self, start: RunInput, *, summary: str, after: str) -> None:
        """Start with FAIL and ALLOW_DUPLICATE, unless the latest Temporal run is another than `after`: then it was started before.

        Raises:
            Unavailable: `after` is still open, or Temporal does not answer.
        """
        found = await self.describe(start.tenant, start.run)
        if found is not None and found.temporal_run_id != after:
            return
        if found is not None and not found.closed:
            raise Unavailable(f"the former execution of run {start.run} has not ended yet; try again", retry_after_s=1)
        async with _translated(start.run, self._rpc_timeout):
            try:
                await self._begin(start, summary, WorkflowIDConflictPolicy.FAIL, WorkflowIDReusePolicy.ALLOW_DUPLICATE)
            except WorkflowAlreadyStartedError:
                return

    async def decide(self, tenant: str, run: str, decision: Decision, *, timeout_s: float) -> DecisionResult | None:
        """Send the update; sent anew, under the same id, when the run went on as a new one meanwhile.

        Raises:
            ApprovalClosed: the run ended under it.
            StandfastError: what the run says, by its code.
        """
        handle = cast("UpdateHandle", self._handle(tenant, run))  # the SDK's overloads are partly untyped
        for _ in range(RESENDS):
            async with _translated(run, timedelta(seconds=timeout_s) + ANSWER_MARGIN):
                try:
                    return await handle.execute_update(
                        DECIDE_APPROVAL,
                        decision,
                        id=decision.decision_id,
                        result_type=DecisionResult,
                        rpc_timeout=timedelta(seconds=timeout_s),
                    )
                except WorkflowUpdateRPCTimeoutOrCancelledError:
                    return None
                except WorkflowUpdateFailedError as failed:
                    if not (isinstance(failed.cause, ApplicationError) and failed.cause.type == UPDATE_CUT_OFF):
                        refused = refusal_of(failed)
                        raise refused from failed
        raise ApprovalClosed(f"run {run} ended before the decision was taken")

    async def approve(self, tenant: str, run: str, decision: Decision) -> None:
        """Send the signal."""
        async with _translated(run, self._rpc_timeout):
            await self._handle(tenant, run).signal(APPROVE, decision, rpc_timeout=self._rpc_timeout)

    async def complete_task(self, tenant: str, run: str, completion: TaskCompletion) -> None:
        """Send the signal."""
        async with _translated(run, self._rpc_timeout):
            await self._handle(tenant, run).signal(COMPLETE_TASK, completion, rpc_timeout=self._rpc_timeout)

    async def deliver_signal(self, tenant: str, run: str, signal: Signal) -> None:
        """Send the signal."""
        async with _translated(run, self._rpc_timeout):
            await self._handle(tenant, run).signal(DELIVER_SIGNAL, signal, rpc_timeout=self._rpc_timeout)

    async def cancel(self, tenant: str, run: str) -> None:
        """Ask for cancellation."""
        async with _translated(run, self._rpc_timeout):
            await self._handle(tenant, run).cancel(rpc_timeout=self._rpc_timeout)

    async def compensate(self, tenant: str, run: str) -> None:
        """Send the signal."""
        async with _translated(run, self._rpc_timeout):
            await self._handle(tenant, run).signal(COMPENSATE, rpc_timeout=self._rpc_timeout)

    async def describe(self, tenant: str, run: str) -> RunDescription | None:
        """Describe the latest Temporal run of this id."""
        try:
            async with _translated(run, self._rpc_timeout):
                found = await self._handle(tenant, run).describe(rpc_timeout=self._rpc_timeout)
        except RunClosed:
            return None
        status = found.status.name.lower() if found.status is not None else "unknown"
        return RunDescription(status=status, closed=found.close_time is not None, temporal_run_id=found.run_id)

    async def state(self, tenant: str, run: str) -> RunState:
        """Query the run.

        Raises:
            Unavailable: it cannot answer. RunClosed: it is gone.
        """
        async with _translated(run, self._rpc_timeout):
            try:
                return await self._handle(tenant, run).query(RUN_STATE, result_type=RunState, rpc_timeout=self._rpc_timeout)
            except (WorkflowQueryFailedError, WorkflowQueryRejectedError) as failed:
                raise Unavailable(f"run {run} did not answer the question for its state: {failed}") from failed

    def _handle(self, tenant: str, run: str) -> WorkflowHandle[object, object]:
        self._bind(run, tenant)
        return self._client.get_workflow_handle(run)


def _search_attributes(start: RunInput) -> TypedSearchAttributes:
    """Roles, tenants and names only: search attributes are never encrypted (TEMPORAL.md)."""
    words = {"TenantId": start.tenant, "Definition": start.program.name, "RunStatus": RunStatus.RUNNING.value}
    return TypedSearchAttributes([SearchAttributePair(SearchAttributeKey.for_keyword(name), word) for name, word in words.items()])


def refusal_of(failed: WorkflowUpdateFailedError) -> StandfastError:
    """Return the domain error that the run refused an update with: its ApplicationError's type is the error's code."""
    cause = failed.cause
    if not isinstance(cause, ApplicationError):
        return StandfastError(f"the run failed to answer: {cause}")
    by_code = {error.code: error for error in error_classes()}
    return by_code.get(cause.type or "", StandfastError)(cause.message)


@asynccontextmanager
async def _translated(run: str, within: timedelta) -> AsyncGenerator[None]:
    """Turn gRPC failures into domain errors, and bound the call: the SDK retries for 10 s below its own `rpc_timeout` (measured).

    Raises:
        RunClosed: not found.
        Unavailable: passing, or no answer in time.
        StandfastError: anything else.
    """
    try:
        async with asyncio.timeout(within.total_seconds()):
            yield
    except TimeoutError as late:
        raise Unavailable(f"Temporal gave no answer in {within.total_seconds():g} s; try again") from late
    except RPCError as failed:
        if failed.status is RPCStatusCode.NOT_FOUND:
            raise RunClosed(f"run {run} is not open: {failed.message}") from failed
        if failed.status in _PASSING:
            raise Unavailable(f"Temporal does not answer ({failed.status.name.lower()}); try again") from failed
        raise StandfastError(f"Temporal refused ({failed.status.name.lower()}): {failed.message}") from failed
