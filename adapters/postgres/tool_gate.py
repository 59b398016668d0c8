"""Permissions just before a call: the tenant's grants and quarantines, read at most `max_age_s` ago, and the principal's live roles.

What cannot be read is not remembered as anything: the call waits, and is not made (fails closed).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from adapters.postgres.pool import Database
from adapters.postgres.tool_store import grant_of
from domain.tool_access import AccessPicture, ToolUse, refusal

MAX_AGE_S = 1.0
"""A quarantine reaches every worker within this time; calls in quick succession share what was read."""
KEPT_MAX = 10_000
"""Of how many principals a worker remembers what it read."""

_PICTURE = b"""
SELECT p.role, p.reviewer_roles, h.held, g.*
FROM set_config('standfast.tenant', %s, true) AS setting(tenant)
LEFT JOIN principals p ON p.tenant_id = setting.tenant AND p.principal = %s
LEFT JOIN LATERAL (
    SELECT json_object_agg(t.name || '@' || t.version, coalesce(c.reason, 'no reason')) AS held FROM tools t
    LEFT JOIN LATERAL (SELECT reason FROM tool_changes s
        WHERE s.tenant_id = t.tenant_id AND s.name = t.name AND s.version = t.version ORDER BY s.change DESC LIMIT 1) c ON true
    WHERE t.tenant_id = setting.tenant AND t.state = 'quarantined') h ON true
LEFT JOIN tool_grants g ON g.tenant_id = setting.tenant
"""
"""A row for each grant; one without a grant where there are none."""


@dataclass(frozen=True)
class _Seen:
    picture: AccessPicture
    roles: tuple[str, ...]
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
        self._seen: dict[tuple[str, str], _Seen] = {}

    async def admit(self, use: ToolUse) -> tuple[str, ...]:
        """Return the roles of the run's principal.

        Raises:
            ToolDenied: no grant lets this call through. ToolQuarantined: the tool is held back.
            Unavailable: PostgreSQL does not answer.
        """
        seen = await self._look(use)
        refused = refusal(seen.picture, use, seen.roles)
        if refused is not None:
            raise refused
        return seen.roles

    def forget(self) -> None:
        """Look anew at the next call."""
        self._seen.clear()

    async def _look(self, use: ToolUse) -> _Seen:
        """Return what was read at most `max_age_s` ago, or read it now, in one round trip."""
        whose = (use.tenant, use.principal)
        seen = self._seen.get(whose)
        if seen is not None and self._clock() < seen.until:
            return seen
        until = self._clock() + self._max_age_s
        rows = await self._db.select_all(_PICTURE, [use.tenant, use.principal])
        first = rows[0]
        grants = tuple(grant_of(row) for row in rows if row["tool_grant"] is not None)
        roles = () if first["role"] is None else (str(first["role"]), *first["reviewer_roles"])
        if len(self._seen) >= KEPT_MAX:
            self._seen.clear()
        self._seen[whose] = found = _Seen(AccessPicture(grants=grants, quarantined=first["held"] or {}), roles, until)
        return found
