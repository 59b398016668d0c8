"""Tells a run what a person answered to one of its tasks; the route and the sweeper share it."""

from contextlib import suppress
from typing import Protocol

from pydantic import JsonValue

from domain.completion import TaskCompletion, attest_completion
from domain.errors import RunClosed
from domain.people_stores import TaskRow
from domain.tasks import HUMAN


class TaskDelivery(Protocol):
    """Where deliveries are remembered; a TaskStore is one."""

    async def mark_delivered(self, tenant: str, task: str) -> None:
        """Remember that the run was told."""
        ...


class CompletionSender(Protocol):
    """What carries completions to runs; a RunStarter is one."""

    async def complete_task(self, tenant: str, run: str, completion: TaskCompletion) -> None:
        """Send the signal. Raises: RunClosed, Unavailable."""
        ...


class CompletionPorts(Protocol):
    """What delivery needs; GatewayDeps has it."""

    @property
    def tasks(self) -> TaskDelivery:
        """The tasks."""
        ...

    @property
    def temporal(self) -> CompletionSender:
        """Temporal."""
        ...

    @property
    def attestation_key(self) -> bytes:
        """The key of the gateway's word for a person's answer."""
        ...


async def deliver_completion(ports: CompletionPorts, tenant: str, row: TaskRow, output: JsonValue) -> None:
    """Signal the run, with the gateway's attestation, and mark the task delivered; a run that has ended has nobody to tell.

    A task that a person made is waited for by nobody, and is delivered as it is.

    Raises:
        Unavailable: not delivered; the row says so, and the sweeper tries again.
    """
    if row.own or row.run is None:
        return
    late = row.state == "closed_late"
    told = "happened" if row.resolution == "done" else "did_not_happen"
    completion = TaskCompletion.model_validate(
        {
            "task": row.projection.task,
            "resolution": told if late else row.resolution,
            "output": output,
            "principal": row.completed_by or "",
            "late": late,
            "ref": row.output_ref if row.projection.kind == HUMAN else None,
        }
    )
    attested = attest_completion(ports.attestation_key, tenant=tenant, run=row.run, completion=completion)
    with suppress(RunClosed):
        await ports.temporal.complete_task(tenant, row.run, attested)
    await ports.tasks.mark_delivered(tenant, row.projection.task)
