"""What the journal's suite needs of an implementation, and builders of what it is given."""

from typing import Protocol

from pydantic import JsonValue

from domain.effects import Carrier, EffectClass, EffectJournal, EffectKey, EffectState, Intent, Outcome, RetryClass
from domain.envelope import Usage
from domain.facts import Fact
from domain.ledger import StoredEntry, Verification
from domain.people_stores import TaskRow
from domain.runs import RunLedger
from domain.stores import RunRow

AT = "2026-03-01T12:00:00.000000Z"
RUN = "run_00000000000000000000000001"
LONG_MS = 60_000
"""A lease that no test outlives."""
SHORT_MS = 60
FIRST = "first"
"""The lease token of the first attempt."""


class Journal(EffectJournal, RunLedger, Protocol):
    """Both ports, as one adapter implements them."""


class JournalBench(Protocol):
    """A journal with one accepted run, RUN, of a tenant, and the means to look at what it kept."""

    tenant: str

    @property
    def journal(self) -> Journal:
        """The journal under test."""
        ...

    async def entries(self) -> list[StoredEntry]:
        """Return the run's entries."""
        ...

    async def verification(self) -> Verification:
        """Verify the run's chain against its head."""
        ...

    async def row(self) -> RunRow:
        """Return the run."""
        ...

    async def task(self, task: str) -> TaskRow:
        """Return a task."""
        ...

    async def approval_state(self, approval: str) -> str:
        """Return an approval's state."""
        ...

    async def result(self) -> JsonValue:
        """Return the run's result."""
        ...


async def kinds(bench: JournalBench) -> list[str]:
    """Return the kinds of the run's entries, in order, and check its chain on the way."""
    verification = await bench.verification()
    assert verification.ok, verification.broken
    return [entry.kind for entry in await bench.entries()]


def fact(seq: int, *, epoch: int = 1, kind: str = "workflow:step:entered", step: str = "settle.pay", **data: JsonValue) -> Fact:
    """Build one fact."""
    return Fact(seq=seq, kind=kind, at=AT, epoch=epoch, step=step, visit=1, data=data)


def carrier(bench: JournalBench, *facts: Fact, epoch: int = 1, run: str = RUN) -> Carrier:
    """Build a carrier of the bench's run."""
    return Carrier(tenant=bench.tenant, run=run, epoch=epoch, principal="prn_a", correlation_id="corr", facts=facts)


def key(bench: JournalBench, *, step: str = "settle.pay") -> EffectKey:
    """Build the key of the run's one effect."""
    return EffectKey(tenant=bench.tenant, run=RUN, step=step, visit=1, call="0")


def intent(
    bench: JournalBench,
    *facts: Fact,
    token: str = FIRST,
    attempt: int = 1,
    digest: str = "a" * 64,
    effect_class: EffectClass = EffectClass.MONEY,
    retry_class: RetryClass = RetryClass.IDEMPOTENT,
    lease_ms: int = LONG_MS,
    epoch: int = 1,
    run: str = RUN,
    step: str = "settle.pay",
) -> Intent:
    """Build an intent of `bank.pay`."""
    return Intent(
        carrier=carrier(bench, *facts, epoch=epoch, run=run),
        key=key(bench, step=step),
        digest=digest,
        effect_class=effect_class,
        retry_class=retry_class,
        subject="bank.pay",
        kind="agent:tool:requested",
        at=AT,
        attempt=attempt,
        lease_token=token,
        lease_ms=lease_ms,
        temporal_run_id="temporal-1",
        request={"amount": 80},
    )


def outcome(
    bench: JournalBench,
    *facts: Fact,
    token: str = FIRST,
    attempt: int = 1,
    state: EffectState = EffectState.DONE,
    output: JsonValue = None,
    error: dict[str, str] | None = None,
    output_ref: str | None = None,
    cost: int = 0,
    epoch: int = 1,
) -> Outcome:
    """Build an outcome of `bank.pay`."""
    return Outcome(
        carrier=carrier(bench, *facts, epoch=epoch),
        key=key(bench),
        lease_token=token,
        state=state,
        kind="agent:tool:called" if state is EffectState.DONE else "agent:tool:failed",
        at=AT,
        attempt=attempt,
        output=output if state is EffectState.DONE else None,
        output_ref=output_ref,
        error=error,
        usage=Usage(input_tokens=10, output_tokens=2, cost_usd_micros=cost),
    )
