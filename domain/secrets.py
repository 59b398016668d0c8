# ruff: noqa: A005 - this module is imported by its full name only, beside which the standard library's stays reachable
"""Secrets by reference: what names one, where it may lie, and who gets it. Pure; values pass through and are never kept here.

A tenant names a secret for an environment (`BANK_TOKEN`, production) and says where its value lies: `env:NAME`, `file:PATH` or
`vault:MOUNT/PATH#KEY`. The operator says where a tenant's values may lie at all, so that nobody names another tenant's or the platform's.
A tool gets a secret in the moment of its call, when it declared that name.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from fnmatch import fnmatchcase
from typing import Literal, Protocol

from pydantic import Field

from domain.errors import InvalidInput, NotFound, ToolFailed, Unavailable
from domain.model import Value

SecretKind = Literal["env", "file", "vault"]

SECRET_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
"""As in `secret:NAME` of a header."""
REFERENCE_CHARS_MAX = 500
SECRETS_MAX = 500
"""Most secrets that one tenant names in one environment."""
SECRET_CHARS_MAX = 16_384
"""Longest value: a certificate chain with its key."""

_ENV = re.compile(r"env:(?P<name>[A-Za-z_][A-Za-z0-9_]*)")
_FILE = re.compile(r"file:(?P<path>/[^\x00-\x1f\x7f]+)")
_VAULT = re.compile(r"vault:(?P<mount>[A-Za-z0-9_-]+)/(?P<path>[A-Za-z0-9_./-]+)#(?P<key>[A-Za-z0-9_.-]+)")

ENVIRONMENTS = ("development", "test", "production")

DEFAULT_SOURCES = ("env:STANDFAST_SECRET_{TENANT}__*", "file:/run/secrets/{tenant}/*", "vault:secret/{tenant}/*")
"""Where a tenant's values may lie, unless the operator says otherwise. `{TENANT}` is the tenant in capitals, each `-` as `_`; two
underscores end it, and no tenant can hold two."""

ResolveSecret = Callable[[str, str], Awaitable[str]]
"""Return the secret that (tenant, name) stands for; raises LookupError when the tenant has none of that name here."""


class SecretReference(Value):
    """Where a value lies. `place` is the variable, the absolute path, or `mount/path`; `key` is Vault's."""

    kind: SecretKind
    place: str
    key: str | None = None

    @property
    def text(self) -> str:
        """The reference as it is written."""
        return f"{self.kind}:{self.place}" + (f"#{self.key}" if self.key else "")


class DeclaredSecret(Value):
    """A name of a tenant in one environment, and where its value lies. Times are RFC 3339 UTC."""

    name: str = Field(pattern=SECRET_NAME.pattern)
    environment: str
    reference: str
    set_by: str
    set_at: str


class SecretStore(Protocol):
    """Where values lie."""

    async def resolve(self, tenant: str, reference: str) -> str:
        """Return the value of a reference of this tenant, as it stands now or stood a few seconds ago.

        Raises:
            LookupError: there is no value, or this tenant may name none there; the message names the reference, never a value.
            Unavailable: the place does not answer.
        """
        ...


class SecretReferences(Protocol):
    """What tenants named: references, never values."""

    async def get(self, tenant: str, environment: str, name: str) -> DeclaredSecret:
        """Raises: NotFound."""
        ...

    async def all(self, tenant: str) -> list[DeclaredSecret]:
        """Return all, by environment, then name."""
        ...

    async def put(self, tenant: str, environment: str, name: str, reference: str, *, by: str) -> DeclaredSecret:
        """Name one, or say anew where it lies. Raises: Conflict, there are SECRETS_MAX already."""
        ...

    async def remove(self, tenant: str, environment: str, name: str) -> None:
        """Raises: NotFound."""
        ...


def parse_reference(text: str) -> SecretReference:
    """Return a reference.

    Raises:
        InvalidInput: it is none, or its path climbs.
    """
    if len(text) <= REFERENCE_CHARS_MAX and ".." not in text and "//" not in text:
        if match := _ENV.fullmatch(text):
            return SecretReference(kind="env", place=match["name"])
        if match := _FILE.fullmatch(text):
            return SecretReference(kind="file", place=match["path"])
        if match := _VAULT.fullmatch(text):
            return SecretReference(kind="vault", place=f"{match['mount']}/{match['path']}", key=match["key"])
    raise InvalidInput(
        "that is no reference to a secret: write env:NAME, file:/absolute/path or vault:MOUNT/PATH#KEY, and never the value itself",
        where="/reference",
    )


def checked_name(name: str) -> str:
    """Return a secret's name.

    Raises:
        InvalidInput: it is none.
    """
    if SECRET_NAME.fullmatch(name) is None:
        raise InvalidInput(f"{name[:70]!r} is no secret's name: letters, digits and underscores, at most 64, no digit first", where="/name")
    return name


def checked_environment(environment: str) -> str:
    """Return an environment.

    Raises:
        InvalidInput: it is none.
    """
    if environment not in ENVIRONMENTS:
        raise InvalidInput(f"{environment[:40]!r} is no environment: {', '.join(ENVIRONMENTS)}", where="/environment")
    return environment


def may_name(tenant: str, reference: SecretReference, sources: Sequence[str]) -> bool:
    """Whether a tenant's secret may lie there. In the operator's patterns `*` stands for anything, `{tenant}` for the tenant."""
    capital = tenant.upper().replace("-", "_")
    place = f"{reference.kind}:{reference.place}"
    return any(fnmatchcase(place, _literal(source, tenant, capital)) for source in sources)


def _literal(source: str, tenant: str, capital: str) -> str:
    """Return a pattern for one tenant, in which only `*` has a meaning."""
    return source.replace("[", "[[]").replace("?", "[?]").replace("{tenant}", tenant).replace("{TENANT}", capital)


class ToolSecrets:
    """Gives tools what they declared: by tenant, name and this installation's environment.

    Args:
        references: What tenants named.
        store: Where values lie.
        environment: This installation's.
        known: Told of each (tenant, value) before anybody gets it, so that it can be struck out wherever it turns up.
        settings: Gives the values that the operator set for (tenant, name), for names that a tenant did not name.
    """

    def __init__(
        self,
        *,
        references: SecretReferences,
        store: SecretStore,
        environment: str,
        known: Callable[[str, str], None],
        settings: Callable[[str, str], str | None] = lambda _tenant, _name: None,
    ) -> None:
        self._references = references
        self._store = store
        self._environment = environment
        self._known = known
        self._settings = settings

    async def resolve(self, tenant: str, name: str) -> str:
        """Return the value that stands now.

        Raises:
            LookupError: the tenant named none of that name for this environment, or there is no value where it points.
            Unavailable: the place does not answer.
        """
        try:
            declared = await self._references.get(tenant, self._environment, name)
        except NotFound as error:
            value = self._settings(tenant, name)
            if value is None:
                raise LookupError(
                    f"the secret {name} has no reference in the environment {self._environment}: "
                    f"standfast secrets set-reference {name} REFERENCE --environment {self._environment}"
                ) from error
        else:
            value = await self._store.resolve(tenant, declared.reference)
        self._known(tenant, value)
        return value

    async def learn(self, tenant: str) -> list[str]:
        """Read what the tenant named for this environment, for `known` alone; return the names of which no value can be read now.

        A secret that another process gave to a tool may come back by this one.

        Raises:
            Unavailable: the tenant's names cannot be read.
        """
        unread: list[str] = []
        for declared in await self._references.all(tenant):
            if declared.environment == self._environment:
                try:
                    self._known(tenant, await self._store.resolve(tenant, declared.reference))
                except (LookupError, InvalidInput, Unavailable):
                    unread.append(declared.name)
        return unread


def only_declared(tool: str, declared: Sequence[str], resolve: ResolveSecret) -> ResolveSecret:
    """Return a resolver that gives `tool` the secrets it declared and refuses every other.

    The resolver raises ToolFailed for a name that the tool did not declare, and for one that is not set.
    """
    names = frozenset(declared)

    async def reveal(tenant: str, name: str) -> str:
        if name not in names:
            raise ToolFailed(f"{tool} asked for the secret {name}, which it does not declare")
        try:
            return await resolve(tenant, name)
        except LookupError as error:
            raise ToolFailed(f"{tool} needs the secret {name}, which is not set here: {error.args[0] if error.args else ''}") from error

    return reveal
