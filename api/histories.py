"""Deletes the Temporal histories of removed runs: the payload codec's keys outlive them, so only their deletion makes them unreadable.

Temporal deletes in the background: a history counts as gone when the server no longer knows it.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Protocol

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from domain.errors import Unavailable

GONE_WITHIN = timedelta(seconds=10)
"""How long a deletion is waited for; what takes longer is looked at again by the next round."""

_POLL_S = 0.05


class Histories(Protocol):
    """Temporal histories of runs."""

    async def count(self, tenant: str, run: str) -> int:
        """Return how many histories a run has. Raises: Unavailable, also while one is open."""
        ...

    async def delete(self, tenant: str, run: str) -> None:
        """Delete every history of a run. Raises: Unavailable, also while one is open, and when they are not gone in time."""
        ...


class TemporalHistories:
    """The port on a Temporal client."""

    def __init__(self, client: Client, *, rpc_timeout: timedelta = timedelta(seconds=5)) -> None:
        self._client = client
        self._rpc_timeout = rpc_timeout

    async def count(self, tenant: str, run: str) -> int:
        """Return how many histories a run has, of all its epochs.

        Raises:
            Unavailable: one is still open, or the server does not answer.
        """
        del tenant
        async with _translated(run):
            return len(await self._executions(run))

    async def delete(self, tenant: str, run: str) -> None:
        """Delete every history of a run, of all its epochs, and wait until they are gone.

        Raises:
            Unavailable: one is still open, the server does not answer, or they are not gone in time.
        """
        del tenant
        try:
            async with asyncio.timeout(GONE_WITHIN.total_seconds()), _translated(run):
                executions = await self._executions(run)
                for execution in executions:
                    await self._delete(run, execution)
                for execution in executions:
                    await self._gone(run, execution)
        except TimeoutError as late:
            raise Unavailable(f"the histories of run {run} are not gone yet") from late

    async def _executions(self, run: str) -> list[str]:
        """Return the Temporal run ids of a run, the latest first; it is asked for itself, since lists may lag.

        Raises:
            Unavailable: one is open.
        """
        latest = await self._description(run, None)
        listed = [found.run_id async for found in self._client.list_workflows(f"WorkflowId = '{run}'", rpc_timeout=self._rpc_timeout)]
        first = [str(latest.run_id)] if latest else []
        executions = [*first, *(each for each in listed if each not in first)]
        for execution in executions:
            found = await self._description(run, execution)
            if found is not None and found.status == WorkflowExecutionStatus.RUNNING:
                raise Unavailable(f"an execution of run {run} is still open: its history can be deleted once it has ended")
        return executions

    async def _delete(self, run: str, execution: str) -> None:
        request = DeleteWorkflowExecutionRequest(
            namespace=self._client.namespace, workflow_execution=WorkflowExecution(workflow_id=run, run_id=execution)
        )
        try:
            await self._client.workflow_service.delete_workflow_execution(request, timeout=self._rpc_timeout)
        except RPCError as failed:
            if failed.status is not RPCStatusCode.NOT_FOUND:
                raise

    async def _gone(self, run: str, execution: str) -> None:
        """Wait until the server does not know an execution any more."""
        while True:
            if await self._description(run, execution) is None:
                return
            await asyncio.sleep(_POLL_S)

    async def _description(self, run: str, execution: str | None) -> WorkflowExecutionDescription | None:
        """Return one execution or the latest, None when the server does not know it.

        Raises:
            RPCError: it did not answer.
        """
        try:
            return await self._client.get_workflow_handle(run, run_id=execution).describe(rpc_timeout=self._rpc_timeout)
        except RPCError as failed:
            if failed.status is not RPCStatusCode.NOT_FOUND:
                raise
        return None


@asynccontextmanager
async def _translated(run: str) -> AsyncGenerator[None]:
    """Turn gRPC failures into ours.

    Raises:
        Unavailable: Temporal did not answer, or refused.
    """
    try:
        yield
    except RPCError as failed:
        raise Unavailable(
            f"Temporal did not delete the histories of run {run} ({failed.status.name.lower()}): {failed.message}"
        ) from failed
