"""`/v1/models`: what words stand for which models, and what a model can do."""

from enum import Enum
from typing import Annotated

from fastapi import FastAPI, Path, Query
from fastapi.responses import Response

from api.context import Context
from api.deps import GatewayDeps
from domain.capabilities import Capabilities
from domain.model import Value
from domain.model_table import ALIAS_CHARS_MAX, ALIAS_PATTERN, ModelAlias

AliasInPath = Annotated[str, Path(pattern=ALIAS_PATTERN, max_length=ALIAS_CHARS_MAX, description="A word, such as `fast` or `default`.")]
ModelQuery = Annotated[str, Query(pattern=r"^[a-z][a-z0-9_-]*/\S+$", max_length=255, description="`provider/name`.")]


class AliasView(ModelAlias):
    """What an alias stands for; the operator's own have no `set_by`."""

    alias: str
    source: str
    set_by: str | None = None
    set_at: str | None = None


class AliasList(Value):
    """The aliases that the tenant's definitions may name, by name."""

    items: tuple[AliasView, ...]


class CapabilityView(Capabilities):
    """What a model can do."""

    model: str


class ModelRoutes:
    """Models over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps.models

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["models"]
        add = app.router.add_api_route
        add("/v1/models/aliases", self.list_model_aliases, methods=["GET"], tags=tags)
        add("/v1/models/aliases/{alias}", self.set_model_alias, methods=["PUT"], tags=tags)
        add("/v1/models/aliases/{alias}", self.remove_model_alias, methods=["DELETE"], tags=tags, status_code=204, response_class=Response)
        add("/v1/models/capabilities", self.get_model_capabilities, methods=["GET"], tags=tags)

    async def list_model_aliases(self, context: Context) -> AliasList:
        """List the tenant's aliases, and those of the operator that it did not set itself."""
        own = {one.alias: AliasView(**dict(one), source="tenant") for one in await self._deps.aliases.all(context.principal.tenant)}
        others = {alias: AliasView(**dict(meaning), alias=alias, source="operator") for alias, meaning in self._deps.table.aliases.items()}
        return AliasList(items=tuple(found for _, found in sorted((others | own).items())))

    async def set_model_alias(self, alias: AliasInPath, body: ModelAlias, context: Context) -> AliasView:
        """Set what a word stands for, from the next start of a run on; runs that have started keep what it stood for."""
        stored = await self._deps.aliases.put(context.principal.tenant, alias, body, principal=context.principal.id)
        context.kept = True
        return AliasView(**dict(stored), source="tenant")

    async def remove_model_alias(self, alias: AliasInPath, context: Context) -> Response:
        """Take a word of the tenant away; the operator's, if there is one of that name, stands again."""
        await self._deps.aliases.remove(context.principal.tenant, alias)
        context.kept = True
        return Response(status_code=204)

    async def get_model_capabilities(self, model: ModelQuery) -> CapabilityView:
        """Show what a model can do, as definitions are checked against it; one that nobody knows is taken to do everything."""
        return CapabilityView(**dict(self._deps.table.able(model)), model=model)
