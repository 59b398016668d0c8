"""A fake LineageStore in memory: the past of a run is what a test puts into `pasts`, or nothing but its row."""

import json
from datetime import UTC, datetime

from pydantic import JsonValue

from domain.errors import NotRedrivable
from domain.ledger import Kind, StoredEntry
from domain.lineage import REDRIVABLE, REQUESTS, Continuation, ForkOrder, Lineage, RedriveOrder, RunRequest
from domain.past import Past
from domain.runs import RunStatus
from domain.state import State
from domain.stores import RunRow
from tests.fakes_database import MemoryDatabase
from tests.fakes_runs import FakeRunStore

Place = tuple[str, str]


class FakeLineageStore:
    """LineageStore in memory. A continuation is held by nobody once its start came back."""

    def __init__(self, database: MemoryDatabase, runs: FakeRunStore) -> None:
        self._database = database
        self._runs = runs
        self.pasts: dict[Place, Past] = {}
        self.continuations: dict[tuple[str, str, int], Continuation] = {}
        self.started: set[tuple[str, str, int]] = set()
        self.held: dict[tuple[str, str, int], float] = {}

    async def past(self, tenant: str, run: str) -> Past:
        """Return what the test put there, in the row's epoch."""
        row = self._database.run(tenant, run)
        start = await self.forked_start(tenant, run)
        base = None if start is None else State.model_validate(start["state"])
        known = self.pasts.get((tenant, run), Past(run=run, epoch=0, fact_head=0))
        return known.model_copy(update={"epoch": row.epoch or 0, "base": base})

    async def lineage(self, tenant: str, run: str) -> Lineage | None:
        """Return what a fork comes from."""
        row = self._database.run(tenant, run)
        if row.parent_run is None:
            return None
        return Lineage.model_validate({"parent": row.parent_run, "step": row.fork_step, "effects": row.fork_effects})

    async def requests(self, tenant: str, run: str) -> tuple[RunRequest, ...]:
        """Return what people asked of a run."""
        entries = [entry for entry in self._database.entries.get((tenant, run), []) if entry.kind in REQUESTS]
        return tuple(self._request(tenant, entry) for entry in entries)

    def _request(self, tenant: str, entry: StoredEntry) -> RunRequest:
        said = self._database.payloads.get((tenant, str(json.loads(entry.body)["data"].get("payload"))))
        at = datetime.fromtimestamp(entry.recorded_at_us / 1_000_000, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        return RunRequest(
            what=REQUESTS[entry.kind], by=entry.principal, at=at, reason=str(said["reason"]) if isinstance(said, dict) else None
        )

    async def forked_start(self, tenant: str, run: str) -> dict[str, JsonValue] | None:
        """Return the input of a fork's workflow."""
        self._database.run(tenant, run)
        found = self.continuations.get((tenant, run, 1))
        return found.start if found is not None and found.kind == "fork" else None

    async def redrive(self, order: RedriveOrder) -> RunRow:
        """Open the run in its next epoch."""
        row = self._database.run(order.tenant, order.run)
        if row.status not in REDRIVABLE or row.epoch != order.epoch:
            raise NotRedrivable(f"run {order.run} has changed meanwhile")
        opened = {"status": RunStatus.RUNNING, "reason": "redriven", "closed_at": None, "error": None, "epoch": order.epoch + 1}
        self._database.change_run(order.tenant, order.run, **opened)
        same = order.model_dump(include={"tenant", "run", "after", "start"})
        self._keep(Continuation(**same, epoch=order.epoch + 1, kind="redrive", created_at=self._database.now()))
        data: dict[str, JsonValue] = {"from_epoch": order.epoch, "step": order.step, "kept": order.kept}
        why: JsonValue = {"reason": order.reason} if order.reason else None
        who = {"kind": Kind.RUN_REDRIVEN, "principal": order.principal, "at": self._database.now()}
        await self._runs.append_entry(order.tenant, order.run, **who, data=data, content=why)
        return self._database.run(order.tenant, order.run)

    async def fork(self, order: ForkOrder) -> RunRow:
        """Accept the fork, once."""
        new = order.run
        self._database.run(new.tenant, order.parent)
        if (new.tenant, new.run) in self._database.runs:
            return self._database.run(new.tenant, new.run)
        await self._runs.accept(new)
        marks = {"parent_run": order.parent, "fork_step": order.at, "fork_effects": order.effects}
        self._database.change_run(new.tenant, new.run, **marks)
        made = {"epoch": 1, "kind": "fork", "after": "", "created_at": self._database.now(), "start": order.start}
        self._keep(Continuation.model_validate({"tenant": new.tenant, "run": new.run, **made}))
        said: dict[str, JsonValue] = {"step": order.at, "effects": order.effects, "kept": order.kept, "changed": list(order.changed)}
        await self._append(new.tenant, new.run, Kind.RUN_FORKED, new.principal, {**said, "parent": order.parent})
        await self._append(new.tenant, order.parent, Kind.RUN_FORKED, new.principal, {**said, "child": new.run})
        return self._database.run(new.tenant, new.run)

    async def unstarted(self, tenant: str, *, seconds: float, limit: int) -> list[tuple[str, int]]:
        """Return what nobody started."""
        found = [each for place, each in self.continuations.items() if place[0] == tenant and place not in self.started]
        old = [each for each in found if self._database.older(each.created_at, seconds=seconds)]
        return [(each.run, each.epoch) for each in sorted(old, key=lambda each: each.created_at)][:limit]

    async def claim(self, tenant: str, run: str, epoch: int, *, lease_s: float) -> Continuation | None:
        """Take a continuation that is free."""
        place = (tenant, run, epoch)
        now = self._database.time.timestamp()
        if place not in self.continuations or place in self.started or self.held.get(place, 0) > now:
            return None
        self.held[place] = now + lease_s
        return self.continuations[place]

    async def mark_started(self, tenant: str, run: str, epoch: int) -> None:
        """Remember it."""
        self.started.add((tenant, run, epoch))

    def _keep(self, continuation: Continuation) -> None:
        self.continuations[continuation.tenant, continuation.run, continuation.epoch] = continuation

    async def _append(self, tenant: str, run: str, kind: Kind, principal: str, data: dict[str, JsonValue]) -> None:
        await self._runs.append_entry(tenant, run, kind=kind, principal=principal, at=self._database.now(), data=data)
