"""Reads the audit of tool calls; a call's arguments are named by the digest of the entry that asked for it.

An agent is looked for by its place in a definition or workflow, and by its own name if it is registered.
"""

from adapters.postgres.pool import Database, Row
from adapters.postgres.values import decode_cursor, encode_cursor, rfc3339
from domain.stores import Page
from domain.tool_anomalies import Anomaly, AnomalyKind
from domain.tool_audit import AuditedCall, CallForm, CallQuery, CallVerdict

_LAST = "9999-12-31T00:00:00Z"
_PAGE = b"""
SELECT c.*, asked.payload_digest AS arguments_digest FROM tool_calls c
LEFT JOIN LATERAL (
    SELECT e.payload_digest FROM ledger_entries e
    WHERE e.tenant_id = c.tenant_id AND e.run = c.run AND e.seq < c.seq AND e.kind = 'agent:tool:requested' AND e.step = c.step
        AND (convert_from(e.body, 'UTF8')::json->>'call') = c.call
    ORDER BY e.seq DESC LIMIT 1) asked ON true
WHERE c.tenant_id = %(tenant)s
    AND (%(tool)s::text IS NULL OR c.tool = %(tool)s) AND (%(run)s::text IS NULL OR c.run = %(run)s)
    AND (%(agent)s::text IS NULL OR c.agent = %(agent)s OR c.registered = %(agent)s)
    AND (%(principal)s::text IS NULL OR c.principal = %(principal)s)
    AND (%(verdict)s::text IS NULL OR c.verdict = %(verdict)s)
    AND (%(since)s::timestamptz IS NULL OR c.at >= %(since)s::timestamptz)
    AND (%(until)s::timestamptz IS NULL OR c.at < %(until)s::timestamptz)
    AND (c.at, c.run, c.seq) < (%(at)s::timestamptz, %(after_run)s, %(after_seq)s::bigint)
ORDER BY c.at DESC, c.run DESC, c.seq DESC LIMIT %(limit)s
"""
_ANOMALIES = b"""
SELECT * FROM tool_anomalies
WHERE tenant_id = %(tenant)s AND (%(tool)s::text IS NULL OR tool = %(tool)s)
    AND (found_at, run, seq, kind) < (%(at)s::timestamptz, %(after_run)s, %(after_seq)s::bigint, %(after_kind)s)
ORDER BY found_at DESC, run DESC, seq DESC, kind DESC LIMIT %(limit)s
"""


class PostgresCallAudit:
    """Implements `CallAudit` and `AnomalyReader`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def page(self, tenant: str, query: CallQuery, *, limit: int, cursor: str | None) -> Page[AuditedCall]:
        """Return calls, latest first. Raises: BadRequest for a cursor that is none."""
        at, run, seq = decode_cursor(cursor, 3) if cursor else (_LAST, "", "0")
        given = {"tenant": tenant, **query.model_dump(mode="json"), "at": at, "after_run": run, "after_seq": seq, "limit": limit + 1}
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(_PAGE, given)
        calls = [_call(row) for row in rows[:limit]]
        following = encode_cursor(calls[-1].at, calls[-1].run, str(calls[-1].seq)) if len(rows) > limit else None
        return Page[AuditedCall](items=tuple(calls), next_cursor=following)

    async def anomalies(self, tenant: str, *, tool: str | None, limit: int, cursor: str | None) -> Page[Anomaly]:
        """Return anomalies, latest found first. Raises: BadRequest for a cursor that is none."""
        at, run, seq, kind = decode_cursor(cursor, 4) if cursor else (_LAST, "", "0", "")
        given = {"tenant": tenant, "tool": tool, "at": at, "after_run": run, "after_seq": seq, "after_kind": kind, "limit": limit + 1}
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(_ANOMALIES, given)
        found = [_anomaly(row) for row in rows[:limit]]
        last = found[-1] if len(rows) > limit else None
        following = None if last is None else encode_cursor(last.found_at or "", last.run, str(last.seq), last.kind.value)
        return Page[Anomaly](items=tuple(found), next_cursor=following)


def _call(row: Row) -> AuditedCall:
    return AuditedCall(
        run=row["run"],
        seq=row["seq"],
        step=row["step"],
        call=row["call"],
        tool=row["tool"],
        version=row["version"],
        agent=row["agent"],
        principal=row["principal"],
        verdict=CallVerdict(row["verdict"]),
        code=row["code"],
        attempt=row["attempt"],
        arguments_digest=row["arguments_digest"],
        result_digest=row["result_digest"],
        cost_usd_micros=row["cost_usd_micros"],
        form=form_of_row(row),
        at=rfc3339(row["at"]),
    )


def form_of_row(row: Row) -> CallForm:
    """Return the form of the arguments of an audited call."""
    return CallForm(bytes=row["bytes"], shape=tuple(row["shape"]), hosts=tuple(row["hosts"]))


def _anomaly(row: Row) -> Anomaly:
    return Anomaly(
        kind=AnomalyKind(row["kind"]),
        run=row["run"],
        seq=row["seq"],
        tool=row["tool"],
        version=row["version"],
        agent=row["agent"],
        detail=row["detail"],
        at=rfc3339(row["at"]),
        found_at=rfc3339(row["found_at"]),
        quarantined=row["quarantined"],
    )
