"""Retention rules and legal holds."""

from adapters.postgres.pool import Database, Row
from adapters.postgres.sealing import open_text, seal_text
from adapters.postgres.select_texts import LEGAL_HOLD, LEGAL_HOLDS, RETENTION_RULES, RUN_BY_ID
from adapters.postgres.values import rfc3339, rfc3339_or_none
from domain.errors import NotFound
from domain.stores import PayloadCipher
from domain.subjects import LegalHold, RetentionRule

_SET_RULE = b"""
INSERT INTO retention_rules (tenant_id, definition, keep_days, set_by) VALUES (%(tenant)s, %(definition)s, %(keep_days)s, %(principal)s)
ON CONFLICT (tenant_id, definition) DO UPDATE SET keep_days = excluded.keep_days, set_by = excluded.set_by, set_at = clock_timestamp()
"""
_PLACE = b"""
INSERT INTO legal_holds (tenant_id, hold, scope, name, reason_sealed, placed_by)
VALUES (%(tenant)s, %(hold)s, %(scope)s, %(name)s, %(reason)s, %(principal)s) ON CONFLICT DO NOTHING
"""
_RELEASE = b"""
UPDATE legal_holds SET released_by = %(principal)s, released_at = clock_timestamp()
WHERE tenant_id = %(tenant)s AND hold = %(hold)s AND released_at IS NULL
"""


class PostgresRetentionStore:
    """Implements `RetentionStore`."""

    def __init__(self, db: Database, cipher: PayloadCipher) -> None:
        self._db = db
        self._cipher = cipher

    async def rules(self, tenant: str) -> list[RetentionRule]:
        """Return all rules, the one for every definition first."""
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(RETENTION_RULES, {"tenant": tenant})
        return [
            RetentionRule(definition=row["definition"], keep_days=row["keep_days"], set_by=row["set_by"], set_at=rfc3339(row["set_at"]))
            for row in rows
        ]

    async def set_rule(self, tenant: str, definition: str, keep_days: int | None, *, principal: str) -> None:
        """Set or, with None, remove a rule."""
        params = {"tenant": tenant, "definition": definition, "keep_days": keep_days, "principal": principal}
        async with self._db.tenant(tenant) as tx:
            if keep_days is None:
                await tx.execute("DELETE FROM retention_rules WHERE tenant_id = %(tenant)s AND definition = %(definition)s", params)
            else:
                await tx.execute(_SET_RULE, params)

    async def holds(self, tenant: str, *, standing: bool) -> list[LegalHold]:
        """Return holds, oldest first; `standing` leaves out the released ones."""
        async with self._db.tenant(tenant) as tx:
            return [self._hold(row) for row in await tx.rows(LEGAL_HOLDS, {"tenant": tenant, "all": not standing})]

    async def place_hold(self, tenant: str, hold: LegalHold) -> LegalHold:
        """Place a hold; the same id again returns the one that stands.

        Raises:
            NotFound: it names a run that is not there.
        """
        params = {"tenant": tenant, "hold": hold.hold, "scope": hold.scope, "name": hold.name, "principal": hold.placed_by}
        async with self._db.tenant(tenant) as tx:
            if hold.scope == "run" and await tx.row(RUN_BY_ID, {"tenant": tenant, "run": hold.name}) is None:
                raise NotFound(f"there is no run {hold.name}")
            await tx.execute(_PLACE, {**params, "reason": seal_text(self._cipher, tenant, _place(hold.hold), hold.reason)})
            return self._hold(_found(await tx.row(LEGAL_HOLD, {"tenant": tenant, "hold": hold.hold}), hold.hold))

    async def release_hold(self, tenant: str, hold: str, *, principal: str) -> LegalHold:
        """Release a hold; a released one stays as it is.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        async with self._db.tenant(tenant) as tx:
            await tx.execute(_RELEASE, {"tenant": tenant, "hold": hold, "principal": principal})
            return self._hold(_found(await tx.row(LEGAL_HOLD, {"tenant": tenant, "hold": hold}), hold))

    def _hold(self, row: Row) -> LegalHold:
        reason = open_text(self._cipher, row["tenant_id"], _place(row["hold"]), row["reason_sealed"])
        same = {name: row[name] for name in ("hold", "scope", "name", "placed_by", "released_by")}
        times = {"placed_at": rfc3339(row["placed_at"]), "released_at": rfc3339_or_none(row["released_at"])}
        return LegalHold.model_validate({**same, **times, "reason": reason})


def _place(hold: str) -> str:
    return f"legal_holds/{hold}"


def _found(row: Row | None, hold: str) -> Row:
    if row is None:
        raise NotFound(f"there is no legal hold {hold}")
    return row
