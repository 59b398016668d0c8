"""Asks Temporal which execution of a run is the latest one; the worker's journal asks it when an execution is not the one it knows."""

from datetime import timedelta

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.resets import Describe, Execution
from domain.errors import Unavailable

RPC_TIMEOUT = timedelta(seconds=5)


def describe_by(client: Client) -> Describe:
    """Return what describes the latest execution of a run."""

    async def describe(tenant: str, run: str) -> Execution | None:
        del tenant  # a RunID is a workflow id; a description has no payload that only its tenant's key opens
        try:
            found = await client.get_workflow_handle(run).describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as failed:
            if failed.status is RPCStatusCode.NOT_FOUND:
                return None
            raise Unavailable(f"Temporal does not say which execution of run {run} goes on: {failed.message}") from failed
        return Execution(found.run_id, found.close_time is None)

    return describe
