"""Tools as a tenant's registry has them: who registered them, and whether they may be used; the port of that registry. Pure.

A tool is installed (a plugin or a built-in of the workers) or registered alone as a declaration. A registered version never changes.
"""

import re
from enum import StrEnum
from typing import Annotated, Final, Literal, Protocol

from pydantic import Field, JsonValue, StringConstraints, ValidationError

from domain.canonical import digest_hex
from domain.declared_tools import declaration_of
from domain.errors import InvalidDefinition, InvalidInput
from domain.model import Value
from domain.schemas import check_schema
from domain.tool_access import ToolGrant
from domain.tools import ToolSpec
from domain.versions import by_name

PLAIN_VERSION: Final = re.compile(r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)\Z")
"""semver.org 2.0.0 §2: tools have plain versions, without pre-release or build parts."""
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class ToolState(StrEnum):
    """Whether a version of a tool may be used.

    A quarantined one is called by nobody until a person releases it. A retired one is pinned by no new run; runs that have it go on.
    """

    ACTIVE = "active"
    QUARANTINED = "quarantined"
    RETIRED = "retired"


class ToolChange(Value):
    """What people, or the watch over calls, said of a version of a tool."""

    state: ToolState
    reason: str
    by: str
    at: str


class RegisteredTool(Value):
    """A version of a tool with its standing in one tenant; `declaration` is None for one that the workers bring along."""

    spec: ToolSpec
    source: Literal["installed", "registered"]
    state: ToolState = ToolState.ACTIVE
    declaration: dict[str, JsonValue] | None = None
    sha256: str | None = None
    registered_at: str | None = None
    registered_by: str | None = None
    changes: tuple[ToolChange, ...] = Field(default=(), description="latest first")


class ToolRow(Value):
    """What is stored of one version; a tool of the workers has a row once somebody said something of it."""

    name: str
    version: str
    state: ToolState
    declaration: dict[str, JsonValue] | None = None
    sha256: str | None = None
    registered_at: str | None = None
    registered_by: str | None = None


class ToolDraft(Value):
    """A checked declaration, ready to be registered; `sha256` is over its canonical JSON."""

    spec: ToolSpec
    declaration: dict[str, JsonValue]
    sha256: str


class ToolStore(Protocol):
    """A tenant's registered tools, what was said of any, and the grants."""

    async def rows(self, tenant: str) -> list[ToolRow]:
        """Return every stored row, by name, then version."""
        ...

    async def register(self, tenant: str, drafts: list[ToolDraft], *, principal: str) -> None:
        """Store declarations, all or none; one that is there with the same content stays.

        Raises:
            VersionExists: a version stands with other content.
        """
        ...

    async def change(self, tenant: str, name: str, version: str, change: ToolChange) -> bool:
        """Say something of a version; False when that is how it stands already. Its time is the database's clock."""
        ...

    async def changes(self, tenant: str, name: str, version: str) -> list[ToolChange]:
        """Return what was said of a version, latest first."""
        ...

    async def grants(self, tenant: str) -> list[ToolGrant]:
        """Return all grants, also those taken back, oldest first."""
        ...

    async def grant(self, tenant: str, grant: ToolGrant) -> ToolGrant:
        """Store a grant; the same id again returns the stored one."""
        ...

    async def revoke(self, tenant: str, grant: str, *, principal: str) -> ToolGrant:
        """Take a grant back. Raises: NotFound."""
        ...


def draft_of(declaration: JsonValue) -> ToolDraft:
    """Check a declaration as a person wrote it.

    Raises:
        InvalidDefinition: with every mistake; `where` is the first one's place.
    """
    if not isinstance(declaration, dict):
        raise InvalidDefinition("a tool's declaration is a mapping, with `name`, `method`, `url` and more")
    if declaration.get("kind", "http") not in ("http", "container", "wasm"):
        raise InvalidDefinition(
            f"a tool of the kind {declaration.get('kind')!r} is not declared here: declare http, container or wasm tools", where="/kind"
        )
    try:
        spec = declaration_of(declaration).spec()
    except ValidationError as error:
        told = [f"{'/'.join(str(part) for part in each['loc']) or 'tool'}: {each['msg']}" for each in error.errors(include_url=False)]
        raise InvalidDefinition("; ".join(told), where="/" + "/".join(str(part) for part in error.errors()[0]["loc"])) from error
    check_spec(spec)
    return ToolDraft(spec=spec, declaration=declaration, sha256=digest_hex("standfast:tool:v1", declaration))


def check_spec(spec: ToolSpec) -> None:
    """Refuse a declaration that no call could satisfy.

    Raises:
        InvalidDefinition: the version is no `major.minor.patch`, or a schema is unusable.
    """
    if not PLAIN_VERSION.match(spec.version):
        told = f"the tool {spec.name} has version {spec.version!r}: write major.minor.patch, such as 1.0.0"
        raise InvalidDefinition(told, where="/version")
    for side, schema in (("input", spec.input_schema), ("output", spec.output_schema)):
        try:
            check_schema(schema)
        except InvalidInput as error:
            raise InvalidDefinition(
                f"the {side} schema of the tool {spec.name} {spec.version}: {error.detail}", where=f"/{side}{error.where or ''}"
            ) from error


def catalogue(installed: list[ToolSpec], rows: list[ToolRow]) -> list[RegisteredTool]:
    """Return every tool of a tenant, by name, then newest first; a declaration that this version cannot read is left out."""
    stored = {(row.name, row.version): row for row in rows}
    found = {(spec.name, spec.version): RegisteredTool(spec=spec, source="installed") for spec in installed}
    for key, row in stored.items():
        if row.declaration is not None:
            try:
                spec = declaration_of(row.declaration).spec()
            except ValidationError:
                continue
            kept = row.model_dump(include={"declaration", "sha256", "registered_at", "registered_by"})
            found[key] = RegisteredTool(spec=spec, source="registered", state=row.state, **kept)
        elif key in found:
            found[key] = found[key].model_copy(update={"state": row.state})
    return [found[key] for key in by_name(found)]


class UsableTools(Value):
    """What a definition may name now: the specs, and the declarations behind those that were registered alone."""

    specs: tuple[ToolSpec, ...]
    declared: tuple[dict[str, JsonValue], ...] = ()


def usable(tools: list[RegisteredTool]) -> UsableTools:
    """Return what a new definition or run may pin: all that is not retired."""
    standing = [tool for tool in tools if tool.state is not ToolState.RETIRED]
    return UsableTools(
        specs=tuple(tool.spec for tool in standing), declared=tuple(tool.declaration for tool in standing if tool.declaration is not None)
    )
