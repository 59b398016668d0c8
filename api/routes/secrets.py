"""`/v1/secrets`: names of secrets and where their values lie; no value ever comes here."""

from enum import Enum
from typing import Annotated

from fastapi import FastAPI, Path

from api.changes import tell
from api.context import Context
from api.deps import GatewayDeps
from api.mcp_views import SecretBody, SecretList, SecretRemoved, SecretView
from domain.errors import InvalidInput
from domain.secrets import DeclaredSecret, checked_environment, checked_name, may_name, parse_reference

ONE = "/v1/secrets/{environment}/{name}"
EnvironmentInPath = Annotated[str, Path(max_length=40, description="development, test or production")]
NameInPath = Annotated[str, Path(max_length=100, description="a secret's name, as tools declare it")]


class SecretRoutes:
    """References of secrets over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._secrets = deps.secrets

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["secrets"]
        app.router.add_api_route("/v1/secrets", self.list_secrets, methods=["GET"], tags=tags)
        app.router.add_api_route(ONE, self.set_secret_reference, methods=["PUT"], tags=tags)
        app.router.add_api_route(ONE, self.remove_secret, methods=["DELETE"], tags=tags)

    async def list_secrets(self, context: Context) -> SecretList:
        """List names and references."""
        found = await self._secrets.references.all(context.principal.tenant)
        return SecretList(items=tuple(_view(row) for row in found))

    async def set_secret_reference(
        self, environment: EnvironmentInPath, name: NameInPath, body: SecretBody, context: Context
    ) -> SecretView:
        """Say where a secret's value lies in one environment; workers of that environment, and no others, read it from there.

        Raises:
            InvalidInput: no reference, or a place that this tenant may not name. Conflict: there are too many.
        """
        principal = context.principal
        reference = parse_reference(body.reference)
        if not may_name(principal.tenant, reference, self._secrets.sources):
            raise InvalidInput(
                f"{reference.text} is no place for this tenant's secrets; the operator allows them in STANDFAST_SECRET_SOURCES",
                where="/reference",
            )
        row = await self._secrets.references.put(
            principal.tenant, checked_environment(environment), checked_name(name), reference.text, by=principal.id
        )
        tell(context, "set", f"secret {environment}/{name}")
        context.kept = True
        return _view(row)

    async def remove_secret(self, environment: EnvironmentInPath, name: NameInPath, context: Context) -> SecretRemoved:
        """Take a name away; tools that declare it fail from their next call on. The value stays where it lies."""
        await self._secrets.references.remove(context.principal.tenant, environment, name)
        tell(context, "removed", f"secret {environment}/{name}")
        context.kept = True
        return SecretRemoved(name=name, environment=environment)


def _view(row: DeclaredSecret) -> SecretView:
    return SecretView.model_validate(row.model_dump())
