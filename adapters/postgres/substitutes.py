"""Substitutes of reviewers; whether one stands is the database's clock to say."""

from adapters.postgres.pool import Database, Row, Transaction
from adapters.postgres.values import decode_cursor, encode_cursor, rfc3339, rfc3339_or_none
from domain.errors import NotFound
from domain.principals import Principal, Role
from domain.stores import Page
from domain.substitutes import Represented, Substitution

_ADD = b"""
INSERT INTO substitutes (tenant_id, substitution, reviewer, substitute, roles, since, until, set_by)
SELECT %(tenant)s, %(substitution)s, r.principal, s.principal, %(roles)s, %(since)s, %(until)s, %(set_by)s
FROM principals r, principals s
WHERE r.tenant_id = %(tenant)s AND r.principal = %(reviewer)s AND s.tenant_id = %(tenant)s AND s.principal = %(substitute)s
ON CONFLICT (tenant_id, substitution) DO NOTHING
"""
_ONE = b"SELECT * FROM substitutes WHERE tenant_id = %(tenant)s AND substitution = %(substitution)s"
_END = b"""
UPDATE substitutes SET ended_by = %(principal)s, ended_at = clock_timestamp()
WHERE tenant_id = %(tenant)s AND substitution = %(substitution)s AND ended_at IS NULL
"""
_PAGE = b"""
SELECT * FROM substitutes
WHERE tenant_id = %(tenant)s AND (%(principal)s::text IS NULL OR %(principal)s IN (reviewer, substitute))
    AND (NOT %(standing)s OR (ended_at IS NULL AND until > clock_timestamp()))
    AND (since, substitution) < (%(since)s::timestamptz, %(after)s)
ORDER BY since DESC, substitution DESC LIMIT %(limit)s
"""
_REPRESENTED = b"""
SELECT p.*, s.roles AS lent FROM set_config('standfast.tenant', %s, true) AS setting(tenant)
LEFT JOIN substitutes s ON s.tenant_id = setting.tenant AND s.substitute = %s AND s.ended_at IS NULL
    AND s.since <= clock_timestamp() AND s.until > clock_timestamp()
LEFT JOIN principals p ON p.tenant_id = s.tenant_id AND p.principal = s.reviewer
ORDER BY s.since, s.substitution
"""


class PostgresSubstituteStore:
    """Implements `SubstituteStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, tenant: str, substitution: Substitution) -> Substitution:
        """Store a substitution; the same id again returns the stored one.

        Raises:
            NotFound: one of the two is no principal of the tenant.
        """
        fields = {"tenant": tenant, **substitution.model_dump(), "roles": list(substitution.roles)}
        async with self._db.tenant(tenant) as tx:
            await tx.execute(_ADD, fields)
            row = await tx.row(_ONE, fields)
        if row is None:
            raise NotFound(f"there is no principal {substitution.reviewer}, or none {substitution.substitute}")
        return _substitution(row)

    async def get(self, tenant: str, substitution: str) -> Substitution:
        """Return one substitution.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        async with self._db.tenant(tenant) as tx:
            return await _one(tx, tenant, substitution)

    async def end(self, tenant: str, substitution: str, *, principal: str) -> Substitution:
        """End a substitution now; one that is ended stays as it is.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        async with self._db.tenant(tenant) as tx:
            await tx.execute(_END, {"tenant": tenant, "substitution": substitution, "principal": principal})
            return await _one(tx, tenant, substitution)

    async def page(self, tenant: str, *, principal: str | None, standing: bool, limit: int, cursor: str | None) -> Page[Substitution]:
        """Return one page, latest start first: of one principal on either side, `standing` only those that are not over.

        Raises:
            BadRequest: the cursor is none of this list.
        """
        since, after = decode_cursor(cursor, 2) if cursor else ("infinity", "")
        fields = {"tenant": tenant, "principal": principal, "standing": standing, "since": since, "after": after, "limit": limit + 1}
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(_PAGE, fields)
        items = tuple(_substitution(row) for row in rows[:limit])
        last = items[-1] if len(rows) > limit else None
        return Page(items=items, next_cursor=None if last is None else encode_cursor(last.since, last.substitution))

    async def represented(self, tenant: str, substitute: str) -> list[Represented]:
        """Return whom a principal may decide for at this moment, earliest substitution first."""
        rows = await self._db.select_all(_REPRESENTED, [tenant, substitute])
        return [Represented(reviewer=_principal(row), roles=tuple(row["lent"])) for row in rows if row["principal"] is not None]


async def _one(tx: Transaction, tenant: str, substitution: str) -> Substitution:
    row = await tx.row(_ONE, {"tenant": tenant, "substitution": substitution})
    if row is None:
        raise NotFound(f"there is no substitution {substitution}")
    return _substitution(row)


def _substitution(row: Row) -> Substitution:
    same = {name: row[name] for name in ("substitution", "reviewer", "substitute", "set_by", "ended_by")}
    return Substitution(
        **same,
        roles=tuple(row["roles"]),
        since=rfc3339(row["since"]),
        until=rfc3339(row["until"]),
        created_at=rfc3339(row["created_at"]),
        ended_at=rfc3339_or_none(row["ended_at"]),
    )


def _principal(row: Row) -> Principal:
    return Principal(
        id=row["principal"],
        tenant=row["tenant_id"],
        role=Role(row["role"]),
        reviewer_roles=tuple(row["reviewer_roles"]),
        name=row["name"],
    )
