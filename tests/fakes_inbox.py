"""Fake stores of approvals, decisions and tasks, honest to the docstrings of `domain/stores.py`."""

from pydantic import JsonValue

from domain.errors import NotFound, TaskClosed
from domain.inbox import InboxFilter, refuse_assignment
from domain.ledger import EntryBody, Kind
from domain.people_stores import ApprovalRow, DecisionRow, DecisionState, TaskRow
from domain.stores import Page
from tests.fakes_database import MemoryDatabase, paged

LAST = "9999"
"""Sorts behind every deadline: an approval without one comes last."""


class FakeApprovalStore:
    """ApprovalStore in memory."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def page(self, tenant: str, where: InboxFilter) -> Page[ApprovalRow]:
        """Return one page of what fits."""
        rows = [row for (owner, _), row in self._database.approvals.items() if owner == tenant and self._fits(tenant, row, where)]
        latest = where.order == "opened"
        return paged(
            rows,
            key=lambda row: (row.projection.opened_at if latest else row.projection.deadline or LAST, row.projection.approval),
            limit=where.limit,
            cursor=where.cursor,
            newest_first=latest,
        )

    def _fits(self, tenant: str, row: ApprovalRow, where: InboxFilter) -> bool:
        shown, before, may = row.projection, where.deadline_before, where.may_decide
        if where.state not in (None, row.state) or (before is not None and (shown.deadline or LAST) >= before):
            return False
        if may is not None and shown.exclude_requester and shown.requester == may.principal:
            return False
        facets = self._facets(tenant, row)
        return all(any(value in facets[facet] for facet, value in group) for group in where.facets())

    def _facets(self, tenant: str, row: ApprovalRow) -> dict[str, list[str | None]]:
        shown = row.projection
        decided = [
            one.principal
            for (owner, _), one in self._database.decisions.items()
            if (owner, one.approval, one.state) == (tenant, shown.approval, "accepted")
        ]
        return {
            "run": [row.run],
            "definition": [row.definition],
            "role": [*shown.roles],
            "delegate": [*shown.delegates],
            "requester": [shown.requester],
            "assignee": [row.assignee],
            "tool": [str(call["tool"]) for call in shown.calls],
            "decider": [*decided],
        }

    async def decided_like(self, tenant: str, row: ApprovalRow, *, limit: int) -> list[ApprovalRow]:
        """Return what people decided of the same kind."""
        tools = set(self._facets(tenant, row)["tool"])
        rows = [
            each
            for (owner, _), each in self._database.approvals.items()
            if owner == tenant
            and each.definition == row.definition
            and each.decided_at is not None
            and each.decided_by is not None
            and each.projection.approval != row.projection.approval
            and tools & set(self._facets(tenant, each)["tool"])
        ]
        return sorted(rows, key=lambda each: (each.decided_at or "", each.projection.approval), reverse=True)[:limit]

    async def assign(self, tenant: str, approval: str, *, assignee: str | None, principal: str, take_over: bool) -> ApprovalRow:
        """Assign it while it is open."""
        row = await self.get(tenant, approval)
        if row.state != "open" or not (take_over or row.assignee in (None, principal, assignee)):
            refuse_assignment(approval, state=row.state, assignee=row.assignee)
        by, at = (None, None) if assignee is None else (principal, self._database.now())
        said = {"assignee": assignee, "assigned_by": by, "assigned_at": at}
        self._database.approvals[tenant, approval] = row.model_copy(update=said)
        return self._database.approvals[tenant, approval]

    async def get(self, tenant: str, approval: str) -> ApprovalRow:
        """Return the row."""
        if (tenant, approval) not in self._database.approvals:
            raise NotFound(f"there is no approval {approval}")
        return self._database.approvals[tenant, approval]

    async def store_decision(self, decision: DecisionRow) -> DecisionRow:
        """Insert, or return the row that is there."""
        await self.get(decision.tenant, decision.approval)
        stored = decision.model_copy(update={"stored_at": self._database.now()})
        return self._database.decisions.setdefault((decision.tenant, decision.decision_id), stored)

    async def settle_decision(self, tenant: str, decision_id: str, *, state: DecisionState, refusal: dict[str, str] | None) -> None:
        """Make it terminal once."""
        row = await self.decision(tenant, decision_id)
        if row.state == "stored":
            self._database.decisions[tenant, decision_id] = row.model_copy(update={"state": state, "refusal": refusal})

    async def decision(self, tenant: str, decision_id: str) -> DecisionRow:
        """Return the row."""
        if (tenant, decision_id) not in self._database.decisions:
            raise NotFound(f"there is no decision {decision_id}")
        return self._database.decisions[tenant, decision_id]

    async def unsettled_decisions(self, tenant: str, *, older_than_s: float, limit: int) -> list[DecisionRow]:
        """Return what is still to be delivered."""
        rows = [row for (owner, _), row in self._database.decisions.items() if owner == tenant and row.state == "stored"]
        rows = [row for row in rows if self._database.older(row.stored_at, seconds=older_than_s)]
        return sorted(rows, key=lambda row: row.stored_at)[:limit]


class FakeTaskStore:
    """TaskStore in memory."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def page(self, tenant: str, *, state: str | None, limit: int, cursor: str | None) -> Page[TaskRow]:
        """Return one page, oldest first."""
        rows = [row for (owner, _), row in self._database.tasks.items() if owner == tenant and state in (None, row.state)]
        return paged(rows, key=lambda row: (row.projection.opened_at, row.projection.task), limit=limit, cursor=cursor)

    async def get(self, tenant: str, task: str) -> TaskRow:
        """Return the row."""
        if (tenant, task) not in self._database.tasks:
            raise NotFound(f"there is no task {task}")
        return self._database.tasks[tenant, task]

    async def complete(self, tenant: str, task: str, *, resolution: str, output: JsonValue, principal: str, at: str) -> TaskRow:
        """Store the answer."""
        row = await self.get(tenant, task)
        if row.state != "open":
            raise TaskClosed(f"task {task} is closed: {row.state}")
        said = {"state": "completed", "resolution": resolution, "completed_by": principal, "completed_at": at, "delivered": row.own}
        self._database.tasks[tenant, task] = row.model_copy(update=said)
        self._database.task_outputs[tenant, task] = output
        if row.own and row.run is not None:
            run = self._database.run(tenant, row.run)
            body = EntryBody(kind=Kind.TASK_COMPLETED, at=at, principal=principal, correlation_id=run.correlation_id, epoch=run.epoch or 0)
            self._database.append(tenant, row.run, body)
        return self._database.tasks[tenant, task]

    async def undelivered(self, tenant: str, *, limit: int) -> list[tuple[TaskRow, JsonValue]]:
        """Return what the runs have not been told."""
        waiting = [
            (key, row) for key, row in self._database.tasks.items() if key[0] == tenant and row.state != "open" and not row.delivered
        ]
        waiting.sort(key=lambda pair: pair[1].completed_at or "")
        return [(row, self._database.task_outputs.get(key)) for key, row in waiting[:limit]]

    async def mark_delivered(self, tenant: str, task: str) -> None:
        """Remember it."""
        row = await self.get(tenant, task)
        self._database.tasks[tenant, task] = row.model_copy(update={"delivered": True})
