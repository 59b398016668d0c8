"""Fake stores of removals and retention, and fake Temporal histories, honest to `domain/subjects.py`."""

from datetime import datetime, timedelta

from pydantic import JsonValue

from domain.errors import Erased, ErasureRefused, InsideTerm, NotFound, Unavailable, UnderLegalHold
from domain.ledger import EntryBody, Kind
from domain.stores import Page, RunRow
from domain.subjects import (
    CertificateEntry,
    Contents,
    LegalHold,
    PurgeOrder,
    Removal,
    RemovalOrder,
    RemovalPlan,
    Residue,
    RetentionRule,
)
from tests.fakes_database import MemoryDatabase, paged
from tests.fakes_dead_letters import FakeDeadLetterStore


class FakeHistories:
    """Temporal histories; `there` counts those of each run, `away` is a server that does not answer, `late` one that deletes unseen."""

    def __init__(self) -> None:
        self.there: dict[str, int] = {}
        self.away = False
        self.late = False

    async def delete(self, tenant: str, run: str) -> None:
        """Raises: Unavailable while the server is away."""
        del tenant
        if self.away:
            raise Unavailable("Temporal is away")
        self.there.pop(run, None)
        if self.late:
            raise Unavailable("they are not gone yet")

    async def count(self, tenant: str, run: str) -> int:
        """Raises: Unavailable while the server is away."""
        del tenant
        if self.away:
            raise Unavailable("Temporal is away")
        return self.there.get(run, 0)


class FakeRetentionStore:
    """RetentionStore in memory."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self.set: dict[tuple[str, str], RetentionRule] = {}
        self.placed: dict[tuple[str, str], LegalHold] = {}

    async def rules(self, tenant: str) -> list[RetentionRule]:
        """Return all rules."""
        return [rule for (owner, _), rule in sorted(self.set.items()) if owner == tenant]

    async def set_rule(self, tenant: str, definition: str, keep_days: int | None, *, principal: str) -> None:
        """Set or remove a rule."""
        self.set.pop((tenant, definition), None)
        if keep_days is not None:
            rule = RetentionRule(definition=definition, keep_days=keep_days, set_by=principal, set_at=self._database.now())
            self.set[tenant, definition] = rule

    async def holds(self, tenant: str, *, standing: bool) -> list[LegalHold]:
        """Return holds."""
        return [hold for (owner, _), hold in self.placed.items() if owner == tenant and not (standing and hold.released_at)]

    async def place_hold(self, tenant: str, hold: LegalHold) -> LegalHold:
        """Place a hold."""
        if hold.scope == "run":
            self._database.run(tenant, hold.name)
        return self.placed.setdefault((tenant, hold.hold), hold)

    async def release_hold(self, tenant: str, hold: str, *, principal: str) -> LegalHold:
        """Release a hold."""
        if (tenant, hold) not in self.placed:
            raise NotFound(f"there is no legal hold {hold}")
        found = self.placed[tenant, hold]
        if found.released_at is None:
            found = found.model_copy(update={"released_by": principal, "released_at": self._database.now()})
            self.placed[tenant, hold] = found
        return found

    def covering(self, row: RunRow) -> list[str]:
        """Return the standing holds that cover a run."""
        names = {"tenant": "", "run": row.run, "subject": row.subject or row.run, "definition": row.definition}
        return [
            hold.hold
            for (owner, _), hold in self.placed.items()
            if owner == row.tenant and not hold.released_at and hold.name == names[hold.scope]
        ]

    def term_of(self, row: RunRow) -> timedelta | None:
        """Return how long a run's content is kept."""
        rule = self.set.get((row.tenant, row.definition)) or self.set.get((row.tenant, ""))
        return None if rule is None else timedelta(days=rule.keep_days)


class FakeRemovalStore:
    """RemovalStore in memory; what is removed is inputs, results, approvals' titles and tasks' details."""

    def __init__(self, database: MemoryDatabase, retention: FakeRetentionStore, letters: FakeDeadLetterStore) -> None:
        self._database = database
        self._retention = retention
        self._letters = letters
        self.done: dict[tuple[str, str], Removal] = {}
        self._left: dict[tuple[str, str], Residue] = {}
        self._counts: dict[tuple[str, str], dict[str, int]] = {}

    async def plan(self, tenant: str, subject: str) -> RemovalPlan:
        """Return what would go."""
        return self._plan(subject, self._of_subject(tenant, subject))

    def _of_subject(self, tenant: str, subject: str) -> list[RunRow]:
        own = [row for row in self._rows(tenant) if (row.subject or row.run) == subject and row.erased_at is None]
        if own:
            return own
        named = self._database.runs.get((tenant, subject))
        if named is None:
            raise NotFound("no run with content belongs to that data subject: check its name, letter for letter")
        if named.erased_at is not None:
            raise Erased(f"the content of run {subject} was erased on {named.erased_at}")
        raise ErasureRefused(f"run {subject} belongs to the data subject {named.subject}")

    def _rows(self, tenant: str) -> list[RunRow]:
        return sorted((row for (owner, _), row in self._database.runs.items() if owner == tenant), key=lambda row: row.run)

    def _plan(self, subject: str | None, rows: list[RunRow]) -> RemovalPlan:
        return RemovalPlan(
            subject=subject,
            runs=tuple(row.run for row in rows),
            open_runs=tuple(row.run for row in rows if not row.status.closed),
            holds=tuple(sorted({hold for row in rows for hold in self._retention.covering(row)})),
            subject_keys=len({row.subject or row.run for row in rows}),
            contents=self._contents(rows),
        )

    def _contents(self, rows: list[RunRow]) -> Contents:
        runs = {(row.tenant, row.run) for row in rows}
        return Contents(
            payloads=2 * sum(place in self._database.accepted for place in runs) + sum(place in self._database.results for place in runs),
            approvals=sum((tenant, each.run) in runs for (tenant, _), each in self._database.approvals.items()),
            tasks=sum((tenant, each.run) in runs for (tenant, _), each in self._database.tasks.items()),
        )

    async def erase(self, order: RemovalOrder) -> Removal:
        """Remove the content of a data subject."""
        rows = self._of_subject(order.tenant, order.subject)
        plan = self._plan(order.subject, rows)
        if plan.holds:
            raise UnderLegalHold(f"legal holds cover runs of this data subject: {', '.join(plan.holds)}")
        if plan.open_runs:
            raise ErasureRefused(f"runs of this data subject are open: {', '.join(plan.open_runs)}")
        kind = Kind.SUBJECT_ERASED if order.mode == "erase" else Kind.SUBJECT_ANONYMISED
        shown = order.replacement or order.subject
        removal = self._removal(order, order.mode, shown, plan)
        for row in rows:
            self._empty(row, removal, kind, data={"erasure": order.erasure, "subject": shown}, subject=shown)
        return removal

    def _removal(self, order: RemovalOrder | PurgeOrder, mode: str, subject: str | None, plan: RemovalPlan) -> Removal:
        removal = Removal.model_validate(
            {
                "erasure": order.erasure,
                "mode": mode,
                "subject": subject,
                "requested_by": order.principal,
                "requested_at": self._database.now(),
                "completed_at": None,
                "runs": len(plan.runs),
                "subject_keys": plan.subject_keys,
                "contents": plan.contents,
                "answers": 0,
                "objects": 0,
                "histories": 0,
            }
        )
        self.done[order.tenant, order.erasure] = removal
        return removal

    def _empty(self, row: RunRow, removal: Removal, kind: Kind, *, data: dict[str, JsonValue], subject: str | None) -> None:
        place = (row.tenant, row.run)
        self._database.accepted.pop(place, None)
        self._database.results.pop(place, None)
        for key, approval in self._database.approvals.items():
            if (key[0], approval.run) == place:
                hidden = approval.projection.model_copy(update={"title": "(erased)", "calls": [], "nonce": "", "unbound": []})
                self._database.approvals[key] = approval.model_copy(update={"projection": hidden, "comment": None})
        for key, task in self._database.tasks.items():
            if (key[0], task.run) == place:
                hidden_task = task.projection.model_copy(update={"title": "(erased)", "detail": "(erased)"})
                self._database.tasks[key] = task.model_copy(update={"projection": hidden_task, "delivered": True})
        error = {"code": row.error["code"], "detail": "(erased)"} if row.error else None
        changes = {"reason": None, "waits_for": None, "error": error, "subject": subject or row.subject}
        self._database.change_run(*place, erased_at=self._database.now(), erasure=removal.erasure, **changes)
        self._left[place] = Residue(run=row.run, erasure=removal.erasure, epoch=row.epoch)
        self._append(row, kind, removal.requested_by, data)

    def _append(self, row: RunRow, kind: Kind, principal: str, data: dict[str, JsonValue]) -> None:
        at, epoch = self._database.now(), row.epoch or 0
        body = EntryBody(kind=kind, at=at, principal=principal, correlation_id=row.correlation_id, epoch=epoch, data=data)
        self._database.append(row.tenant, row.run, body)

    async def purge_plan(self, tenant: str, *, run: str | None, limit: int) -> RemovalPlan:
        """Return what is over its term."""
        return self._plan(None, self._past_term(tenant, run)[:limit])

    def _past_term(self, tenant: str, run: str | None) -> list[RunRow]:
        if run is not None:
            row = self._database.run(tenant, run)
            self._refuse_early(row)
            return [row]
        found: list[RunRow] = []
        for row in self._rows(tenant):
            try:
                self._refuse_early(row)
            except (Erased, InsideTerm, UnderLegalHold):
                continue
            found.append(row)
        return found

    def _refuse_early(self, row: RunRow) -> None:
        term = self._retention.term_of(row)
        if row.erased_at is not None:
            raise Erased(f"the content of run {row.run} was removed on {row.erased_at}")
        if self._retention.covering(row):
            raise UnderLegalHold(f"a legal hold covers run {row.run}")
        if row.closed_at is None:
            raise InsideTerm(f"run {row.run} is open: its retention term begins when it ends")
        if term is None:
            raise InsideTerm(f"no retention rule covers run {row.run}, so its content is kept for ever")
        if datetime.fromisoformat(row.closed_at) + term > self._database.time:
            raise InsideTerm(f"the content of run {row.run} is kept until its term is over")
        if found := self._letters.open_of(row.tenant, row.run):
            raise InsideTerm(f"run {row.run} is an open dead letter, {found}")

    async def purge(self, order: PurgeOrder) -> Removal | None:
        """Remove what is over its term."""
        rows = self._past_term(order.tenant, order.run)[: order.limit]
        if not rows:
            return None
        removal = self._removal(order, "purge", None, self._plan(None, rows))
        for row in rows:
            self._empty(row, removal, Kind.CONTENT_PURGED, data={"erasure": order.erasure}, subject=None)
        return removal

    async def get(self, tenant: str, erasure: str) -> tuple[Removal, tuple[CertificateEntry, ...]]:
        """Return one removal."""
        if (tenant, erasure) not in self.done:
            raise NotFound(f"there is no erasure {erasure}")
        kinds = (Kind.SUBJECT_ERASED, Kind.SUBJECT_ANONYMISED, Kind.CONTENT_PURGED, Kind.REMOVAL_COMPLETED)
        certified = [
            CertificateEntry(run=entry.run, seq=entry.seq, kind=entry.kind, hash=entry.hash.hex())
            for row in self._rows(tenant)
            if row.erasure == erasure
            for entry in self._database.entries[tenant, row.run]
            if entry.kind in kinds
        ]
        return self.done[tenant, erasure], tuple(certified)

    async def page(self, tenant: str, *, limit: int, cursor: str | None) -> Page[Removal]:
        """Return one page, oldest first."""
        rows = [removal for (owner, _), removal in self.done.items() if owner == tenant]
        return paged(rows, key=lambda row: (row.requested_at, row.erasure), limit=limit, cursor=cursor)

    async def residues(self, tenant: str, *, limit: int) -> list[Residue]:
        """Return what is left."""
        return [residue for (owner, _), residue in sorted(self._left.items()) if owner == tenant][:limit]

    async def counted(self, tenant: str, residue: Residue, *, objects: int, histories: int) -> None:
        """Remember the first count."""
        self._counts.setdefault((tenant, residue.run), {"objects": objects, "histories": histories})

    async def cleared(self, tenant: str, residue: Residue, *, at: str) -> None:
        """Remember that nothing is left of a run."""
        del at
        if self._left.pop((tenant, residue.run), None) is None:
            return
        counts = self._counts.get((tenant, residue.run), {"objects": 0, "histories": 0})
        self._append(self._database.run(tenant, residue.run), Kind.REMOVAL_COMPLETED, "platform", {"erasure": residue.erasure, **counts})
        removal = self.done[tenant, residue.erasure]
        more = any(owner == tenant and other.erasure == residue.erasure for (owner, _), other in self._left.items())
        sums = {"objects": removal.objects + counts["objects"], "histories": removal.histories + counts["histories"]}
        self.done[tenant, residue.erasure] = removal.model_copy(update={**sums, "completed_at": None if more else self._database.now()})

    async def known_refs(self, tenant: str, refs: list[str]) -> set[str]:
        """Return references that a payload has."""
        return {ref for ref in refs if (tenant, ref) in self._database.payloads}
