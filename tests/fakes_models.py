"""A tenant's aliases of models, in memory."""

from datetime import UTC, datetime

from domain.errors import NotFound
from domain.model_table import ModelAlias, StoredAlias


class FakeAliases:
    """Implements `AliasStore`."""

    def __init__(self) -> None:
        self._aliases: dict[tuple[str, str], StoredAlias] = {}

    async def all(self, tenant: str) -> list[StoredAlias]:
        """Return every alias, by name."""
        return [self._aliases[key] for key in sorted(self._aliases) if key[0] == tenant]

    async def put(self, tenant: str, alias: str, meaning: ModelAlias, *, principal: str) -> StoredAlias:
        """Set what an alias stands for."""
        at = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        stored = StoredAlias(**dict(meaning), alias=alias, set_by=principal, set_at=at)
        self._aliases[tenant, alias] = stored
        return stored

    async def remove(self, tenant: str, alias: str) -> None:
        """Take an alias away.

        Raises:
            NotFound: there is none.
        """
        if self._aliases.pop((tenant, alias), None) is None:
            raise NotFound(f"there is no alias {alias}")
