"""What models a tenant's definitions may name: aliases, and what each model can do. Pure.

An alias is a word without a slash, such as `fast`. It stands for a model and the chain behind it, and is resolved when a run starts:
nothing resolves within a run (JOURNAL §10). A tenant's own aliases go before the operator's; `default` stands for an agent without a model.
"""

import re
from collections.abc import Mapping
from typing import Final, Protocol

from pydantic import Field

from domain.capabilities import Capabilities, capabilities_of
from domain.definition_keywords import near
from domain.fallbacks import FALLBACKS_MAX, Fallback
from domain.model import Value

MODEL: Final = re.compile(r"[a-z][a-z0-9_-]*/\S+")
"""A model: provider, slash, the provider's own name."""
ALIAS_PATTERN: Final = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
ALIAS: Final = re.compile(ALIAS_PATTERN)
"""An alias: a word, without a slash."""
DEFAULT: Final = "default"
"""The alias of an agent that names no model."""
ALIAS_CHARS_MAX: Final = 63


class ModelAlias(Value):
    """What an alias stands for."""

    model: str = Field(pattern=f"^{MODEL.pattern}$", max_length=255)
    fallbacks: tuple[Fallback, ...] = Field(default=(), max_length=FALLBACKS_MAX)


class StoredAlias(ModelAlias):
    """A tenant's alias; times are RFC 3339 UTC."""

    alias: str
    set_by: str
    set_at: str


class ModelTable(Value):
    """Aliases by name, and the operator's own capabilities by pattern.

    `complete` says that there are no other aliases; without it a word that is none may still be one of a tenant's.
    """

    aliases: Mapping[str, ModelAlias] = {}
    capabilities: Mapping[str, Capabilities] = {}
    complete: bool = False

    def resolve(self, name: str) -> ModelAlias | None:
        """Return what a model or an alias stands for; None for an alias that nobody set, and for what is neither."""
        if MODEL.fullmatch(name):
            return ModelAlias(model=name)
        return self.aliases.get(name)

    def able(self, model: str) -> Capabilities:
        """Return what a model can do."""
        return capabilities_of(model, self.capabilities)

    def instead(self, name: str) -> str:
        """Return what to write instead of a name that stands for nothing."""
        return near(name, self.aliases) or "provider/name, or an alias that is set with `standfast models set`"

    def with_tenant(self, own: Mapping[str, ModelAlias]) -> "ModelTable":
        """Return the table with a tenant's aliases before the operator's."""
        return self.model_copy(update={"aliases": {**self.aliases, **own}, "complete": True})


NO_ALIASES: Final = ModelTable()


class AliasStore(Protocol):
    """A tenant's aliases."""

    async def all(self, tenant: str) -> list[StoredAlias]:
        """Return every alias, by name."""
        ...

    async def put(self, tenant: str, alias: str, meaning: ModelAlias, *, principal: str) -> StoredAlias:
        """Set what an alias stands for; runs that have started keep what it stood for."""
        ...

    async def remove(self, tenant: str, alias: str) -> None:
        """Raises: NotFound."""
        ...
