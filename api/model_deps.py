"""What the gateway knows of models: a tenant's aliases, the operator's, and what models can do."""

from dataclasses import dataclass

from domain.model_table import NO_ALIASES, AliasStore, ModelTable


@dataclass(frozen=True, kw_only=True)
class ModelDeps:
    """The ports; `table` has the operator's aliases and capabilities."""

    aliases: AliasStore
    table: ModelTable = NO_ALIASES

    async def table_for(self, tenant: str) -> ModelTable:
        """Return what a tenant's definitions may name now."""
        return self.table.with_tenant({one.alias: one for one in await self.aliases.all(tenant)})
