"""A fake RunStarter: remembers what it was asked, and answers decisions by the domain's own rule."""

from collections.abc import Callable
from dataclasses import dataclass, field

from api.temporal import RunDescription
from domain.approval import Decision, OpenApproval, attested
from domain.approval_rules import ReviewEvent
from domain.approval_timeline import standing_of
from domain.completion import TaskCompletion, completion_attested
from domain.decision_rules import refusal
from domain.errors import Forbidden, RunClosed, StandfastError
from domain.runs import RunStatus
from domain.signals import Signal
from workflows.messages import DecisionResult, RunInput, RunState

DECIDED_AT = "2026-01-05T09:30:00.000000+00:00"
"""As workflow time is written; the gateway shows it with `Z`."""


@dataclass
class FakeTemporal:
    """Runs in memory. `down` raises on every call, `mute` on questions; `ended` gives closed runs Temporal's word for how.

    `silent` stores decisions without an answer, as a server without workers does.
    """

    attestation_key: bytes
    started: dict[str, RunInput] = field(default_factory=dict[str, RunInput])
    summaries: dict[str, str] = field(default_factory=dict[str, str])
    approvals: dict[str, OpenApproval] = field(default_factory=dict[str, OpenApproval])
    decisions: dict[str, Decision] = field(default_factory=dict[str, Decision])
    completions: list[TaskCompletion] = field(default_factory=list[TaskCompletion])
    cancelled: list[str] = field(default_factory=list[str])
    compensated: list[str] = field(default_factory=list[str])
    signals: list[tuple[str, Signal]] = field(default_factory=list[tuple[str, Signal]])
    timeouts: list[float] = field(default_factory=list[float])
    sends: int = 0
    down: StandfastError | None = None
    mute: StandfastError | None = None
    silent: bool = False
    ended: dict[str, str] = field(default_factory=dict[str, str])
    followed: dict[str, str] = field(default_factory=dict[str, str])
    on_start: Callable[[RunInput], None] | None = None

    async def start(self, start: RunInput, *, summary: str) -> None:
        """Start once."""
        self._reach()
        self.started.setdefault(start.run, start)
        self.summaries[start.run] = summary
        if self.on_start is not None:
            self.on_start(start)

    async def restart(self, start: RunInput, *, summary: str, after: str) -> None:
        """Start the next epoch once."""
        self._reach()
        if self.started[start.run].epoch < start.epoch:
            self.started[start.run] = start
            self.summaries[start.run] = summary
            self.followed[start.run] = after
            self.ended.pop(start.run, None)

    async def decide(self, tenant: str, run: str, decision: Decision, *, timeout_s: float) -> DecisionResult | None:
        """Take a decision as the run's validator and handler would; the same id gets the same answer."""
        self.sends += 1
        self._reach()
        self._known(tenant, run)
        self.timeouts.append(timeout_s)
        if decision.decision_id not in self.decisions:
            self._take(tenant, run, decision)
        if self.silent:
            return None
        taken = self.decisions[decision.decision_id]
        known = self.approvals[taken.approval]
        ending = known.decision if known.decision_id == taken.decision_id else None
        said = {"decision": taken.verdict, "decided_by": taken.principal, "decided_at": DECIDED_AT, "ending": ending}
        return DecisionResult.model_validate({"approval": taken.approval, **said})

    async def approve(self, tenant: str, run: str, decision: Decision) -> None:
        """Take a decision that nobody answers."""
        self._reach()
        self._known(tenant, run)
        self._take(tenant, run, decision)

    async def complete_task(self, tenant: str, run: str, completion: TaskCompletion) -> None:
        """Remember the answer, if the gateway attested it: a signal gets no refusal."""
        self._reach()
        self._known(tenant, run)
        if completion_attested(self.attestation_key, tenant=tenant, run=run, completion=completion):
            self.completions.append(completion)

    async def deliver_signal(self, tenant: str, run: str, signal: Signal) -> None:
        """Remember the signal, with its run."""
        self._reach()
        self._known(tenant, run)
        self.signals.append((run, signal))

    async def cancel(self, tenant: str, run: str) -> None:
        """Remember the wish."""
        self._reach()
        self._known(tenant, run)
        self.cancelled.append(run)

    async def compensate(self, tenant: str, run: str) -> None:
        """Remember the wish."""
        self._reach()
        self._known(tenant, run)
        self.compensated.append(run)

    async def describe(self, tenant: str, run: str) -> RunDescription | None:
        """Describe a started run."""
        self._reach()
        try:
            self._known(tenant, run)
        except RunClosed:
            return None
        status = self.ended.get(run, "running")
        return RunDescription(status=status, closed=run in self.ended, temporal_run_id="t-1")

    async def state(self, tenant: str, run: str) -> RunState:
        """Show the approvals, decided ones too."""
        self._reach()
        if self.mute is not None:
            raise self.mute
        self._known(tenant, run)
        return RunState(status=RunStatus.WAITING, epoch=1, waits_for=None, steps={}, approvals=list(self.approvals.values()), facts=0)

    def _reach(self) -> None:
        if self.down is not None:
            raise self.down

    def _known(self, tenant: str, run: str) -> None:
        if run not in self.started or self.started[run].tenant != tenant:
            raise RunClosed(f"run {run} is not open")

    def _take(self, tenant: str, run: str, decision: Decision) -> None:
        refused = refusal(self.approvals.get(decision.approval), decision)
        if refused is not None:
            raise refused
        if not attested(self.attestation_key, tenant=tenant, run=run, decision=decision):
            raise Forbidden("the gateway did not attest this decision")
        self.decisions[decision.decision_id] = decision
        known, said = self.approvals[decision.approval], decision.model_dump(include={"verdict", "decision_id", "principal", "comment"})
        events = [*known.events, ReviewEvent.model_validate({**said, "at": known.opened_at, "roles": known.asks.roles()})]
        standing = standing_of(known.asks, events, known.opened_at)
        closed = {"events": events, "decision": standing.ending, "decision_id": standing.decision_id}
        self.approvals[decision.approval] = known.model_copy(update=closed)
