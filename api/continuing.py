"""Starts continuations: the next epoch of a redriven run, or a fork. The routes and the sweeper share it.

A continuation is claimed under a lease before its workflow is started, so that two gateways do not start it twice (JOURNAL §8).
"""

from typing import Protocol

from pydantic import JsonValue

from api.starting import SUMMARY_BYTES_MAX
from domain.errors import NotRedrivable
from domain.lineage import Continuation
from workflows.messages import RunInput

LEASE_S = 10.0
"""How long one process may take to start a continuation: twice the bound of a call to Temporal."""

START_BYTES_MAX = 3_000_000
"""Most bytes of a start with its state, as of a run of 5,000 steps: compressed it has half of that at most, and Temporal takes 2 MiB."""


class Continuations(Protocol):
    """Where continuations are kept; a LineageStore is one."""

    async def claim(self, tenant: str, run: str, epoch: int, *, lease_s: float) -> Continuation | None:
        """Take a continuation to start it; None when it is started or another process holds it."""
        ...

    async def mark_started(self, tenant: str, run: str, epoch: int) -> None:
        """Remember that its workflow has started."""
        ...


class ContinuationStarter(Protocol):
    """What starts their workflows; a RunStarter is one."""

    async def start(self, start: RunInput, *, summary: str) -> None:
        """Start; already started is success. Raises: Unavailable."""
        ...

    async def restart(self, start: RunInput, *, summary: str, after: str) -> None:
        """Start the next epoch of a run whose Temporal run `after` has ended. Raises: Unavailable."""
        ...


class ContinuationPorts(Protocol):
    """What a start needs; GatewayDeps has it."""

    @property
    def lineage(self) -> Continuations:
        """The continuations."""
        ...

    @property
    def temporal(self) -> ContinuationStarter:
        """Temporal."""
        ...


async def start_continuation(ports: ContinuationPorts, tenant: str, run: str, epoch: int) -> None:
    """Start a continuation that nobody has started; one that another process holds is left to it.

    Raises:
        ReferenceMissing: its state is erased. Unavailable: not now; the sweeper tries again.
    """
    found = await ports.lineage.claim(tenant, run, epoch, lease_s=LEASE_S)
    if found is None:
        return
    start = RunInput.model_validate(found.start)
    summary = f"{start.program.name} {start.program.version}".encode()[:SUMMARY_BYTES_MAX].decode(errors="ignore")
    if found.kind == "redrive":
        await ports.temporal.restart(start, summary=summary, after=found.after)
    else:
        await ports.temporal.start(start, summary=summary)
    await ports.lineage.mark_started(tenant, run, epoch)


def start_message(start: RunInput) -> dict[str, JsonValue]:
    """Return a start as it is stored.

    Raises:
        NotRedrivable: its state is too large to travel.
    """
    message = start.model_dump(mode="json")
    size = len(start.model_dump_json().encode())
    if size > START_BYTES_MAX:
        raise NotRedrivable(f"the state of run {start.run} has {size} bytes, and at most {START_BYTES_MAX} fit into a start")
    return message
