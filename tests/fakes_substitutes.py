"""A fake store of substitutions, honest to the docstrings of `domain/substitutes.py`."""

from collections.abc import Callable
from datetime import UTC, datetime

from domain.errors import NotFound
from domain.stores import KeyStore, Page
from domain.substitutes import Represented, Substitution
from tests.fakes_database import paged


class FakeSubstituteStore:
    """SubstituteStore in memory; `now` is its clock, `keys` knows the principals."""

    def __init__(self, keys: KeyStore, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._keys = keys
        self._now = now
        self._rows: dict[tuple[str, str], Substitution] = {}

    async def add(self, tenant: str, substitution: Substitution) -> Substitution:
        """Insert, or return the row that is there."""
        for principal in (substitution.reviewer, substitution.substitute):
            await self._keys.principal(tenant, principal)
        return self._rows.setdefault((tenant, substitution.substitution), substitution)

    async def get(self, tenant: str, substitution: str) -> Substitution:
        """Return the row."""
        if (tenant, substitution) not in self._rows:
            raise NotFound(f"there is no substitution {substitution}")
        return self._rows[tenant, substitution]

    async def end(self, tenant: str, substitution: str, *, principal: str) -> Substitution:
        """Mark it once."""
        row = await self.get(tenant, substitution)
        if row.ended_at is None:
            at = self._now().isoformat(timespec="microseconds").replace("+00:00", "Z")
            self._rows[tenant, substitution] = row.model_copy(update={"ended_by": principal, "ended_at": at})
        return self._rows[tenant, substitution]

    async def page(self, tenant: str, *, principal: str | None, standing: bool, limit: int, cursor: str | None) -> Page[Substitution]:
        """Return what fits, latest start first."""
        rows = [
            row
            for (owner, _), row in self._rows.items()
            if owner == tenant
            and principal in (None, row.reviewer, row.substitute)
            and (not standing or (row.ended_at is None and datetime.fromisoformat(row.until) > self._now()))
        ]
        return paged(rows, key=lambda row: (row.since, row.substitution), limit=limit, cursor=cursor, newest_first=True)

    async def represented(self, tenant: str, substitute: str) -> list[Represented]:
        """Return whose substitutions stand now."""
        standing = [
            row
            for (owner, _), row in self._rows.items()
            if (owner, row.substitute, row.ended_at) == (tenant, substitute, None)
            and datetime.fromisoformat(row.since) <= self._now() < datetime.fromisoformat(row.until)
        ]
        standing.sort(key=lambda row: (row.since, row.substitution))
        return [Represented(reviewer=await self._keys.principal(tenant, row.reviewer), roles=row.roles) for row in standing]
