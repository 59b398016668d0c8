"""The inbox of approvals, and decisions, which are stored before they are sent (JOURNAL §9)."""

from typing import cast

from adapters.postgres.inbox_queries import ASSIGN, DECIDED_LIKE, page_query
from adapters.postgres.pool import Database, Row, Transaction
from adapters.postgres.projections import ERASED_APPROVAL, approval_place, comment_place, content_place
from adapters.postgres.sealing import open_text, seal_text
from adapters.postgres.select_texts import APPROVAL, DECISION, UNSETTLED_DECISIONS
from adapters.postgres.values import encode_cursor, json_error, rfc3339, rfc3339_or_none
from adapters.postgres.vault import Vault
from domain.errors import NotFound
from domain.inbox import InboxFilter, refuse_assignment
from domain.people_stores import ApprovalRow, DecisionRow, DecisionState
from domain.runs import ApprovalProjection
from domain.stores import Page, PayloadCipher

_STORE_DECISION = b"""
INSERT INTO decisions (tenant_id, decision_id, run, approval, verdict, digest, comment_sealed, principal, attestation, state, refusal,
    content_sealed)
SELECT setting.tenant, %(decision_id)s, %(run)s, %(approval)s, %(verdict)s, %(digest)s, %(comment_sealed)s::bytea, %(principal)s,
    %(attestation)s, %(state)s, %(refusal)s::json, %(content_sealed)s::bytea
FROM set_config('standfast.tenant', %(tenant)s, true) AS setting(tenant)
WHERE (SELECT true FROM approvals a WHERE a.tenant_id = setting.tenant AND a.approval = %(approval)s)
ON CONFLICT (tenant_id, decision_id) DO NOTHING RETURNING *
"""
"""Answers no row where the approval is unknown or the decision is stored already."""

_ALONE = b"""
SELECT a.* FROM set_config('standfast.tenant', %s, true) AS setting(tenant)
LEFT JOIN approvals a ON a.tenant_id = setting.tenant AND a.approval = %s
"""
_UNKNOWN = "there is no approval {}"


class PostgresApprovalStore:
    """Implements `ApprovalStore`."""

    def __init__(self, db: Database, cipher: PayloadCipher | Vault) -> None:
        self._db = db
        self._ciphers = Vault.over(db, cipher).ciphers

    async def page(self, tenant: str, where: InboxFilter) -> Page[ApprovalRow]:
        """Return one page of what fits.

        Raises:
            BadRequest: the cursor is none of this list.
        """
        query = page_query(tenant, where)
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(query.sql, query.params)
        items = tuple(await self._approvals(tenant, rows[: where.limit]))
        if len(rows) <= where.limit:
            return Page(items=items)
        last = rows[where.limit - 1]
        return Page(items=items, next_cursor=encode_cursor(rfc3339(last["at"]), last["approval"]))

    async def decided_like(self, tenant: str, row: ApprovalRow, *, limit: int) -> list[ApprovalRow]:
        """Return the last approvals of the same definition and one of the same tools that people decided, latest first."""
        tools = [call["tool"] for call in row.projection.calls]
        fields = {"tenant": tenant, "definition": row.definition, "approval": row.projection.approval, "tools": tools, "limit": limit}
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(DECIDED_LIKE, fields)
        return await self._approvals(tenant, rows)

    async def assign(self, tenant: str, approval: str, *, assignee: str | None, principal: str, take_over: bool) -> ApprovalRow:
        """Assign an open approval, or release it with None. One assigned to somebody else needs `take_over`.

        Raises:
            NotFound: there is none of that id in the tenant.
            ApprovalClosed: it is decided.
            Conflict: somebody else has it.
        """
        fields = {"tenant": tenant, "approval": approval, "assignee": assignee, "principal": principal, "take_over": take_over}
        async with self._db.tenant(tenant) as tx:
            changed = await tx.affected(ASSIGN, fields)
            row = await _approval_row(tx, tenant, approval)
        if not changed:
            refuse_assignment(approval, state=row["state"], assignee=row["assignee"])
        return await self._approval(tenant, row)

    async def _approvals(self, tenant: str, rows: list[Row]) -> list[ApprovalRow]:
        await self._ciphers.learn(tenant, {row["run"] for row in rows if row["sealed"]})
        return [await self._approval(tenant, row) for row in rows]

    async def get(self, tenant: str, approval: str) -> ApprovalRow:
        """Return one approval.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        row = await self._db.select(_ALONE, [tenant, approval])
        if row["approval"] is None:
            raise NotFound(_UNKNOWN.format(approval))
        return await self._approval(tenant, row)

    async def store_decision(self, decision: DecisionRow) -> DecisionRow:
        """Insert a decision; the same id again returns the stored row.

        Raises:
            NotFound: there is no such approval.
        """
        cipher = await self._ciphers.of_run(decision.tenant, decision.run)
        comment = seal_text(cipher, decision.tenant, comment_place("decisions", decision.decision_id), decision.comment)
        content = None if decision.content is None else decision.content.model_dump(mode="json")
        place = content_place(decision.decision_id)
        sealed = None if content is None else seal_text(cipher, decision.tenant, place, content)
        params = {**decision.model_dump(exclude={"content"}), "comment_sealed": comment, "content_sealed": sealed}
        params["refusal"] = json_error(decision.refusal)
        if stored := await self._db.select_all(_STORE_DECISION, params):
            return await self._decision(stored[0])
        async with self._db.tenant(decision.tenant) as tx:
            await _approval_row(tx, decision.tenant, decision.approval)
            row = await tx.row(DECISION, {"tenant": decision.tenant, "decision": decision.decision_id})
        return await self._decision(_found(row, decision.decision_id))

    async def settle_decision(self, tenant: str, decision_id: str, *, state: DecisionState, refusal: dict[str, str] | None) -> None:
        """Make a decision terminal; a terminal one stays as it is."""
        async with self._db.tenant(tenant) as tx:
            await tx.execute(
                "UPDATE decisions SET state = %s, refusal = %s WHERE tenant_id = %s AND decision_id = %s AND state = 'stored'",
                [state, json_error(refusal), tenant, decision_id],
            )

    async def decision(self, tenant: str, decision_id: str) -> DecisionRow:
        """Return one decision.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        async with self._db.tenant(tenant) as tx:
            row = await tx.row(DECISION, {"tenant": tenant, "decision": decision_id})
        return await self._decision(_found(row, decision_id))

    async def unsettled_decisions(self, tenant: str, *, older_than_s: float, limit: int) -> list[DecisionRow]:
        """Return stored decisions that are not terminal, oldest first."""
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(UNSETTLED_DECISIONS, {"tenant": tenant, "seconds": older_than_s, "limit": limit})
        return [await self._decision(row) for row in rows]

    async def _approval(self, tenant: str, row: Row) -> ApprovalRow:
        hidden, comment = ERASED_APPROVAL, None
        if row["sealed"]:
            cipher = await self._ciphers.of_run(tenant, row["run"])
            hidden = cast("dict[str, object]", open_text(cipher, tenant, approval_place(row["approval"]), row["sealed"]))
            place = comment_place("approvals", row["approval"])
            comment = None if row["comment_sealed"] is None else open_text(cipher, tenant, place, row["comment_sealed"])
        projection = ApprovalProjection.model_validate(
            {**row, **hidden, "opened_at": rfc3339(row["opened_at"]), "deadline": rfc3339_or_none(row["deadline"])}
        )
        return ApprovalRow(
            run=row["run"],
            definition=row["definition"],
            projection=projection,
            state=row["state"],
            decision_id=row["decision_id"],
            decided_by=row["decided_by"],
            decided_at=rfc3339_or_none(row["decided_at"]),
            comment=cast("str | None", comment),
            assignee=row["assignee"],
            assigned_by=row["assigned_by"],
            assigned_at=rfc3339_or_none(row["assigned_at"]),
        )

    async def _decision(self, row: Row) -> DecisionRow:
        tenant = row["tenant_id"]
        comment: object = ""
        if row["comment_sealed"]:
            cipher = await self._ciphers.of_run(tenant, row["run"])
            comment = open_text(cipher, tenant, comment_place("decisions", row["decision_id"]), row["comment_sealed"])
        content: object = None
        if row["content_sealed"]:
            cipher = await self._ciphers.of_run(tenant, row["run"])
            content = open_text(cipher, tenant, content_place(row["decision_id"]), row["content_sealed"])
        same = {field: row[field] for field in DecisionRow.model_fields if field not in ("tenant", "comment", "content", "stored_at")}
        said = {"comment": comment, "content": content, "stored_at": rfc3339(row["stored_at"])}
        return DecisionRow.model_validate({"tenant": tenant, **said, **same})


async def _approval_row(tx: Transaction, tenant: str, approval: str) -> Row:
    row = await tx.row(APPROVAL, {"tenant": tenant, "approval": approval})
    if row is None:
        raise NotFound(_UNKNOWN.format(approval))
    return row


def _found(row: Row | None, decision: str) -> Row:
    if row is None:
        raise NotFound(f"there is no decision {decision}")
    return row
