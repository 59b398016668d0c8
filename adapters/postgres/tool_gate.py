"""Permissions just before a call: the tenant's grants and quarantines, read at most `max_age_s` ago, and the principal's live roles.

What cannot be read is not remembered as anything: the call waits, and is not made (fails closed).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from adapters.postgres.pool import Database
from adapters.postgres.select_texts import PRINCIPAL
from adapters.postgres.tool_store import grant_of
from domain.tool_access import AccessPicture, ToolUse, refusal

MAX_AGE_S = 1.0
"""A quarantine reaches every worker within this time; calls in quick succession share what was read."""
TENANTS_MAX = 1000

_GRANTS = b"SELECT * FROM tool_grants WHERE tenant_id = %(tenant)s"
_HELD = b"""
SELECT t.name || '@' || t.version AS tool, c.reason FROM tools t
LEFT JOIN LATERAL (SELECT reason FROM tool_changes s
    WHERE s.tenant_id = t.tenant_id AND s.name = t.name AND s.version = t.version ORDER BY s.change DESC LIMIT 1) c ON true
WHERE t.tenant_id = %(tenant)s AND t.state = 'quarantined'
"""


@dataclass(frozen=True)
class _Seen:
    picture: AccessPicture
    roles: dict[str, tuple[str, ...]]
    until: float


class PostgresToolGate:
    """Implements `ToolGate`.

    Args:
        db: The database.
        max_age_s: How old what it knows may be.
        clock: Seconds that only grow.
    """

    def __init__(self, db: Database, *, max_age_s: float = MAX_AGE_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._max_age_s = max_age_s
        self._clock = clock
        self._seen: dict[str, _Seen] = {}

    async def admit(self, use: ToolUse) -> tuple[str, ...]:
        """Return the roles of the run's principal.

        Raises:
            ToolDenied: no grant lets this call through. ToolQuarantined: the tool is held back.
            Unavailable: PostgreSQL does not answer.
        """
        seen = await self._look(use)
        roles = seen.roles[use.principal]
        refused = refusal(seen.picture, use, roles)
        if refused is not None:
            raise refused
        return roles

    def forget(self) -> None:
        """Look anew at the next call."""
        self._seen.clear()

    async def _look(self, use: ToolUse) -> _Seen:
        seen = self._seen.get(use.tenant)
        fresh = seen is not None and self._clock() < seen.until
        if seen is not None and fresh and use.principal in seen.roles:
            return seen
        until = self._clock() + self._max_age_s
        async with self._db.tenant(use.tenant) as tx:
            row = await tx.row(PRINCIPAL, {"tenant": use.tenant, "principal": use.principal})
            roles = () if row is None else (str(row["role"]), *row["reviewer_roles"])
            if seen is not None and fresh:
                seen.roles[use.principal] = roles
                return seen
            grants = await tx.rows(_GRANTS, {"tenant": use.tenant})
            held = await tx.rows(_HELD, {"tenant": use.tenant})
        picture = AccessPicture(
            grants=tuple(grant_of(each) for each in grants), quarantined={each["tool"]: each["reason"] or "no reason" for each in held}
        )
        if len(self._seen) >= TENANTS_MAX:
            self._seen.clear()
        self._seen[use.tenant] = found = _Seen(picture, {use.principal: roles}, until)
        return found
