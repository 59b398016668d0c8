"""One run in memory: its chain, its facts and its projection; the half of the fake journal that knows no effects."""

import time

from pydantic import JsonValue

from domain.effects import Carrier, EffectKey, EffectState, IntentAnswer
from domain.envelope import Usage
from domain.ledger import ZERO_HASH, EntryBody, Kind, StoredEntry, entry_hash
from domain.people_stores import TaskRow
from domain.runs import Projection, RunStatus, TaskProjection
from domain.stores import RunRow

AT = "2026-03-01T12:00:00.000000Z"


class FakeRun:
    """A run's row and chain."""

    def __init__(self, tenant: str, run: str) -> None:
        self.tenant = tenant
        self.run = run
        self.entries: list[StoredEntry] = []
        self.facts: dict[tuple[int, int], str] = {}
        self.fact_head = 0
        self.epoch: int | None = None
        self.temporal_run_id = ""
        self.status = RunStatus.ACCEPTED
        self.closed_at: str | None = None
        self.projected: Projection = Projection()
        self.projected_at = (-1, -1)
        self.result: JsonValue = None
        self.usage = Usage()
        self.tasks: dict[str, TaskRow] = {}
        self.approvals: dict[str, str] = {}
        self.append(EntryBody(kind=Kind.RUN_ACCEPTED, at=AT, principal="prn_a", correlation_id="corr", epoch=0))

    @property
    def head(self) -> tuple[int, bytes]:
        """Return (sequence, hash) of the last entry."""
        return len(self.entries), self.entries[-1].hash if self.entries else ZERO_HASH

    def append(self, body: EntryBody) -> None:
        """Append one entry to the chain."""
        seq, prev = self.head
        entry = StoredEntry(
            tenant=self.tenant,
            run=self.run,
            seq=seq + 1,
            recorded_at_us=time.time_ns() // 1000,
            prev=prev,
            hash=b"",
            body=body.canonical(),
            kind=body.kind,
            principal=body.principal,
            epoch=body.epoch,
            fact_seq=body.fact_seq,
            step=body.step,
            payload_digest=body.payload_digest,
        )
        self.entries.append(entry.model_copy(update={"hash": entry_hash(entry)}))

    def check(self, carrier: Carrier) -> tuple[IntentAnswer | None, str]:
        """Return why a carrier is refused, or None."""
        own, epoch = carrier.temporal_run_id, self.epoch or 0
        if own and self.temporal_run_id and epoch >= carrier.epoch and (own != self.temporal_run_id or epoch > carrier.epoch):
            return IntentAnswer.UNLINKED, f"the run follows another execution in epoch {epoch}"
        if carrier.epoch < (self.epoch or 0):
            return IntentAnswer.STALE_EPOCH, f"the run is in epoch {self.epoch}, and this attempt is of epoch {carrier.epoch}"
        new = self.fact_head
        for fact in carrier.facts:
            if fact.seq <= self.fact_head:
                if self.facts.get((fact.epoch, fact.seq)) != fact.digest():
                    return IntentAnswer.FACT_DIVERGED, f"fact {fact.seq} ({fact.kind}) of epoch {fact.epoch}"
            elif fact.seq == new + 1:
                new = fact.seq
            else:
                return IntentAnswer.FACT_GAP, f"fact {fact.seq} came after fact {new}"
        return None, ""

    def take(self, carrier: Carrier) -> None:
        """Append the facts that are new, and take the carrier's epoch."""
        for fact in carrier.facts:
            if fact.seq > self.fact_head:
                self.facts[fact.epoch, fact.seq] = fact.digest()
                self.fact_head = fact.seq
                self.append(fact.body(principal=carrier.principal, correlation_id=carrier.correlation_id))
        if not self.temporal_run_id or carrier.epoch > (self.epoch or 0):
            self.temporal_run_id = carrier.temporal_run_id
        self.epoch = max(self.epoch or 0, carrier.epoch)
        if self.status is RunStatus.ACCEPTED:
            self.status = RunStatus.RUNNING

    def project(self, epoch: int, fact_seq: int, projection: Projection, settled: dict[EffectKey, EffectState]) -> None:
        """Apply a projection; `settled` are the effects whose outcome is known."""
        older = (epoch, fact_seq) < self.projected_at
        if not older and (self.closed_at is None or epoch > self.projected_at[0]):
            self._set(projection)
            self.projected_at = (epoch, fact_seq)
        if projection.open_approval is not None:
            self.approvals.setdefault(projection.open_approval.approval, "open")
        if (closed := projection.close_approval) is not None and self.approvals.get(closed.approval) == "open":
            self.approvals[closed.approval] = {"approve": "approved", "reject": "rejected"}.get(closed.decision, closed.decision)
        if projection.open_task is not None and projection.open_task.task not in self.tasks:
            self._open_task(projection.open_task, settled)
        if (done := projection.close_task) is not None:
            row = self.tasks[done.task]
            told = done.model_dump(include={"resolution", "completed_by", "completed_at"}) | {"state": "completed"}
            self.tasks[done.task] = row.model_copy(update={"delivered": True} | (told if row.state == "open" else {}))

    def _set(self, projection: Projection) -> None:
        if projection.status is not None:
            self.status = projection.status
            self.projected = projection
            self.closed_at = AT if projection.status.closed else None
        if projection.result is not None:
            self.result = projection.result

    def _open_task(self, task: TaskProjection, settled: dict[EffectKey, EffectState]) -> None:
        self.tasks[task.task] = TaskRow(run=self.run, projection=task, state="open")
        key = EffectKey(tenant=self.tenant, run=self.run, step=task.step, visit=task.visit, call=task.call)
        if task.kind == "in_doubt" and key in settled:
            self.close_late(key, settled[key])

    def close_late(self, key: EffectKey, state: EffectState) -> None:
        """Close the open tasks of an effect: the late outcome told the truth."""
        for name, row in self.tasks.items():
            place = (row.projection.step, row.projection.visit, row.projection.call)
            if row.state == "open" and place == (key.step, key.visit, key.call):
                told = {"state": "closed_late", "resolution": state.value, "completed_at": AT, "delivered": False}
                self.tasks[name] = row.model_copy(update=told)

    def row(self) -> RunRow:
        """Return the run's row."""
        return RunRow(
            tenant=self.tenant,
            run=self.run,
            definition="delay-claim",
            version="1.0.0",
            definition_sha256="c" * 64,
            principal="prn_a",
            correlation_id="corr",
            fingerprint="f" * 64,
            status=self.status,
            reason=self.projected.reason,
            waits_for=self.projected.waits_for,
            error=self.projected.error,
            epoch=self.epoch,
            created_at=AT,
            updated_at=AT,
            closed_at=self.closed_at,
            input_tokens=self.usage.input_tokens,
            output_tokens=self.usage.output_tokens,
            cost_usd_micros=self.usage.cost_usd_micros,
            head_seq=self.head[0],
            head_hash=self.head[1].hex(),
        )
