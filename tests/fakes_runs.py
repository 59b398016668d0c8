"""Fake stores of runs, ledgers and payloads, honest to the docstrings of `domain/stores.py`."""

from pydantic import JsonValue

from domain.canonical import digest_hex
from domain.effects import Carrier
from domain.errors import Erased, FactDiverged, FactGap, NotFound, ReferenceMissing, StaleEpoch
from domain.facts import Fact
from domain.ledger import EntryBody, Kind, StoredEntry
from domain.people_stores import ApprovalRow, TaskRow
from domain.runs import Projection, RunStatus
from domain.stores import EffectRow, NewRun, Page, RunFilter, RunRow
from tests.fakes_database import MemoryDatabase, paged


class FakeRunStore:
    """RunStore in memory. `effects` is filled by tests: (tenant, run) → rows."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self.effects: dict[tuple[str, str], list[EffectRow]] = {}

    async def accept(self, run: NewRun) -> RunRow:
        """Insert, or return the row that is there."""
        place = (run.tenant, run.run)
        if place in self._database.runs:
            return self._database.runs[place]
        now = self._database.now()
        shown = run.model_dump(exclude={"input", "config", "expression_engine"})
        self._database.runs[place] = RunRow.model_validate({**shown, "status": "accepted", "created_at": now, "updated_at": now})
        self._database.accepted[place] = run
        data: dict[str, JsonValue] = {"definition": run.definition, "version": run.version, "definition_sha256": run.definition_sha256}
        await self.append_entry(run.tenant, run.run, kind=Kind.RUN_ACCEPTED, principal=run.principal, at=now, data=data)
        return self._database.runs[place]

    async def get(self, tenant: str, run: str) -> RunRow:
        """Return the row."""
        return self._database.run(tenant, run)

    async def page(self, tenant: str, where: RunFilter) -> Page[RunRow]:
        """Return one page, newest first."""
        rows = [
            row
            for (owner, _), row in self._database.runs.items()
            if owner == tenant and (not where.status or row.status in where.status) and where.definition in (None, row.definition)
        ]
        return paged(rows, key=lambda row: (row.created_at, row.run), limit=where.limit, cursor=where.cursor, newest_first=True)

    async def input_of(self, tenant: str, run: str) -> tuple[JsonValue, dict[str, JsonValue]]:
        """Return (input, config)."""
        if self._database.run(tenant, run).erased_at is not None:
            raise Erased(f"the content of run {run} was erased")
        if (tenant, run) not in self._database.accepted:
            raise ReferenceMissing(f"the input of run {run} is gone")
        new = self._database.accepted[tenant, run]
        return new.input, new.config

    async def result_of(self, tenant: str, run: str) -> JsonValue:
        """Return the result of a succeeded run."""
        row = self._database.run(tenant, run)
        if row.erased_at is not None:
            raise Erased(f"the content of run {run} was erased on {row.erased_at}")
        return self._database.results.get((tenant, run)) if row.status is RunStatus.SUCCEEDED else None

    async def effects_of(self, tenant: str, run: str) -> list[EffectRow]:
        """Return what the test put there."""
        self._database.run(tenant, run)
        return self.effects.get((tenant, run), [])

    async def tenants(self) -> list[str]:
        """Return all tenants."""
        return sorted(self._database.tenants)

    async def accepted_before(self, tenant: str, *, seconds: float, limit: int) -> list[RunRow]:
        """Return what nobody started."""
        rows = [row for row in self._of(tenant) if row.status is RunStatus.ACCEPTED and row.epoch is None and row.parent_run is None]
        rows = [row for row in rows if self._database.older(row.created_at, seconds=seconds)]
        return sorted(rows, key=lambda row: row.created_at)[:limit]

    async def open_runs(self, tenant: str, *, idle_seconds: float, limit: int) -> list[RunRow]:
        """Return started rows that are quiet."""
        rows = [row for row in self._of(tenant) if row.epoch is not None and not row.status.closed]
        rows = [row for row in rows if self._database.older(row.updated_at, seconds=idle_seconds)]
        return sorted(rows, key=lambda row: row.updated_at)[:limit]

    async def close_externally(self, tenant: str, run: str, *, status: RunStatus, reason: str, at: str, epoch: int | None) -> bool:
        """Close what no workflow can close."""
        row = self._database.run(tenant, run)
        if row.status.closed or row.epoch != epoch or (status is RunStatus.EXPIRED and row.epoch is not None):
            return False
        kind = Kind.RUN_START_EXPIRED if status is RunStatus.EXPIRED else Kind.RUN_ENDED_EXTERNALLY
        await self.append_entry(tenant, run, kind=kind, principal="platform", at=at, data={"status": status, "reason": reason})
        self._database.change_run(tenant, run, status=status, reason=reason, closed_at=at)
        for place, approval in self._database.approvals.items():
            if place[0] == tenant and approval.run == run and approval.state == "open":
                self._database.approvals[place] = approval.model_copy(update={"state": "withdrawn", "decided_at": at})
        gone = {"state": "completed", "resolution": "withdrawn", "completed_at": at, "delivered": True}
        for place, task in self._database.tasks.items():
            if place[0] == tenant and task.run == run and task.state == "open":
                self._database.tasks[place] = task.model_copy(update=gone)
        return True

    async def touch(self, tenant: str, run: str) -> None:
        """Set the update time."""
        self._database.change_run(tenant, run)

    async def append_entry(
        self, tenant: str, run: str, *, kind: str, principal: str, at: str, data: dict[str, JsonValue], content: JsonValue = None
    ) -> str | None:
        """Append one entry."""
        row = self._database.run(tenant, run)
        bare = EntryBody(kind=kind, at=at, principal=principal, correlation_id=row.correlation_id, epoch=row.epoch or 0, data=data)
        if content is None:
            self._database.append(tenant, run, bare)
            return None
        ref = self._database.store_payload(tenant, content)
        kept = {"payload_digest": digest_hex("standfast:fake:v1", content), "data": {**data, "payload": ref}}
        self._database.append(tenant, run, bare.model_copy(update=kept))
        return ref

    def _of(self, tenant: str) -> list[RunRow]:
        return [row for (owner, _), row in self._database.runs.items() if owner == tenant]


class FakeRunLedger:
    """RunLedger in memory: what a worker writes."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._heads: dict[tuple[str, str], tuple[int, int]] = {}

    async def flush(self, carrier: Carrier, projection: Projection, *, fact_seq: int) -> int:
        """Write facts, then the projection unless a newer one stands."""
        place = (carrier.tenant, carrier.run)
        row = self._database.run(*place)
        if row.epoch is not None and carrier.epoch < row.epoch:
            raise StaleEpoch(f"epoch {carrier.epoch} is over: the run is at {row.epoch}")
        head = self._heads.get(place, (0, 0))[1] if row.epoch == carrier.epoch else 0
        for fact in carrier.facts:
            head = self._take(carrier, head, fact)
        self._database.change_run(*place, epoch=carrier.epoch)
        if (carrier.epoch, fact_seq) >= self._heads.get(place, (0, 0)):
            self._heads[place] = (carrier.epoch, max(head, fact_seq))
            self._project(*place, projection)
        return head

    def _take(self, carrier: Carrier, head: int, fact: Fact) -> int:
        place = (carrier.tenant, carrier.run, fact.epoch, fact.seq)
        if place in self._database.facts:
            if self._database.facts[place].digest() != fact.digest():
                raise FactDiverged(f"fact {fact.seq} came again with other content")
            return head
        if fact.seq != head + 1:
            raise FactGap(f"fact {fact.seq} came after fact {head}")
        self._database.facts[place] = fact
        body = fact.body(principal=carrier.principal, correlation_id=carrier.correlation_id)
        self._database.append(carrier.tenant, carrier.run, body)
        return fact.seq

    def _project(self, tenant: str, run: str, new: Projection) -> None:
        changes: dict[str, object] = {"reason": new.reason, "waits_for": new.waits_for}
        if new.status is not None:
            changes |= {"status": new.status, "error": new.error, "closed_at": self._database.now() if new.status.closed else None}
            self._database.results[tenant, run] = new.result
        if new.usage is not None:
            changes |= new.usage.model_dump(exclude={"duration_ms"})
        row = self._database.change_run(tenant, run, **changes)
        if new.open_approval is not None:
            opened = ApprovalRow(run=run, definition=row.definition, projection=new.open_approval, state="open")
            known = self._database.approvals.setdefault((tenant, new.open_approval.approval), opened)
            if known.state == "open" and known.projection.revision < new.open_approval.revision:
                changed = known.model_copy(update={"projection": new.open_approval})
                self._database.approvals[tenant, new.open_approval.approval] = changed
        if (closed := new.close_approval) is not None:
            state = {"approve": "approved", "reject": "rejected"}.get(closed.decision, closed.decision)
            said = {"state": state, **closed.model_dump(include={"decision_id", "decided_by", "decided_at", "comment"})}
            place = (tenant, closed.approval)
            self._database.approvals[place] = self._database.approvals[place].model_copy(update=said)
        if new.open_task is not None:
            task = TaskRow(run=run, projection=new.open_task, state="open")
            self._database.tasks.setdefault((tenant, new.open_task.task), task)


class FakeLedgerReader:
    """LedgerReader in memory."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def entries(self, tenant: str, run: str, *, after: int = 0, limit: int = 1000) -> list[StoredEntry]:
        """Return entries after a sequence."""
        self._database.run(tenant, run)
        return [entry for entry in self._database.entries.get((tenant, run), []) if entry.seq > after][:limit]

    async def head(self, tenant: str, run: str) -> tuple[int, bytes]:
        """Return what the row claims."""
        row = self._database.run(tenant, run)
        return row.head_seq, bytes.fromhex(row.head_hash) if row.head_hash else bytes(32)


class FakePayloadStore:
    """PayloadStore in memory."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def get(self, tenant: str, ref: str) -> JsonValue:
        """Return the payload."""
        if (tenant, ref) not in self._database.payloads:
            raise ReferenceMissing(f"payload {ref} is gone")
        return self._database.payloads[tenant, ref]

    async def put(self, tenant: str, run: str, value: JsonValue) -> str:
        """Store a payload of a run."""
        if (tenant, run) not in self._database.runs:
            raise NotFound(f"there is no run {run}")
        return self._database.store_payload(tenant, value)
