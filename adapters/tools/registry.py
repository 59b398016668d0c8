"""The tools of one worker: built-ins, declared HTTP tools and plugins enter by the same door.

A plugin names a factory under the entry-point group `standfast.tools`; the factory takes a `ToolContext` and returns its tools.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import cast

import httpx2

from adapters.tools.platform_ports import PlatformPorts
from domain.egress import OutboundClients
from domain.errors import InvalidDefinition, InvalidInput, ToolFailed
from domain.sandbox import Sandbox, SandboxProfile
from domain.schemas import check_schema
from domain.secrets import ResolveSecret
from domain.tools import Tool, ToolSpec

GROUP = "standfast.tools"
"""The entry-point group of tools."""
VERSION = re.compile(r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$")
"""semver.org 2.0.0 §2: tools have plain versions, without pre-release or build parts."""


@dataclass(frozen=True, kw_only=True)
class ToolContext:
    """What a factory may build on: the sandbox port, the named profiles, the way to hosts, and the secrets by tenant and name.

    A tool asks for its secrets in each call: one that is kept would outlive its rotation. `ports` are what built-in tools work on.
    """

    sandbox: Sandbox
    profiles: Mapping[str, SandboxProfile]
    resolve_secret: ResolveSecret
    outbound: OutboundClients[httpx2.AsyncBaseTransport] | None = None
    ports: PlatformPorts = field(default_factory=PlatformPorts)


ToolFactory = Callable[[ToolContext], Iterable[Tool]]
"""What an entry point of the group `standfast.tools` names."""


class ToolRegistry:
    """All tools of a worker, by name and version; implements `domain.tools.ToolBox`.

    Raises:
        InvalidDefinition: two tools share name and version, or a declaration is unusable (schema, version).
    """

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._tools: dict[tuple[str, str], Tool] = {}
        for tool in tools:
            self._add(tool)

    def _add(self, tool: Tool) -> None:
        """Take one tool in, after checking what it declares.

        Raises:
            InvalidDefinition: it is there already, or cannot be called as declared.
        """
        spec = tool.spec
        if (spec.name, spec.version) in self._tools:
            raise InvalidDefinition(f"the tool {spec.name} {spec.version} is declared twice: rename one or raise its version")
        _check(spec)
        self._tools[spec.name, spec.version] = tool

    def specs(self) -> list[ToolSpec]:
        """Every tool, sorted by name, then version."""
        found = [tool.spec for tool in self._tools.values()]
        return sorted(found, key=lambda spec: (spec.name, _version_order(spec.version)))

    def find(self, name: str, version: str) -> Tool:
        """Return the tool.

        Raises:
            ToolFailed: this worker has no such tool or version; the message lists what it has.
        """
        tool = self._tools.get((name, version))
        if tool is not None:
            return tool
        versions = [spec.version for spec in self.specs() if spec.name == name]
        if versions:
            raise ToolFailed(f"this worker has {name} in version {', '.join(versions)}, not {version}")
        names = sorted({spec.name for spec in self.specs()})
        raise ToolFailed(f"this worker has no tool {name}; it has {', '.join(names) or 'none'}")

    async def aclose(self) -> None:
        """Close every tool that holds connections."""
        for tool in self._tools.values():
            close = cast("Callable[[], Awaitable[None]] | None", getattr(tool, "aclose", None))
            if close is not None:
                await close()


def _version_order(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, so that 1.10.0 comes after 1.9.0."""
    return tuple(int(number) for number in version.split("."))


def _check(spec: ToolSpec) -> None:
    """Refuse a declaration that no call could satisfy.

    Raises:
        InvalidDefinition: the version is no semantic version, or a schema is unusable.
    """
    if not VERSION.match(spec.version):
        raise InvalidDefinition(f"the tool {spec.name} has version {spec.version!r}: write major.minor.patch, such as 1.0.0")
    for side, schema in (("input", spec.input_schema), ("output", spec.output_schema)):
        try:
            check_schema(schema)
        except InvalidInput as error:
            raise InvalidDefinition(
                f"the {side} schema of the tool {spec.name} {spec.version}: {error.detail}", where=error.where
            ) from error


def load_entry_points(context: ToolContext, *, group: str = GROUP, found: Iterable[EntryPoint] | None = None) -> list[Tool]:
    """Return the tools of every installed factory, in the order of their entry points' names.

    `found` replaces the installed entry points.

    Raises:
        InvalidDefinition: an entry point cannot be loaded, is no factory, or gives something that is no tool.
    """
    points = entry_points(group=group) if found is None else found
    tools: list[Tool] = []
    for point in sorted(points, key=lambda each: each.name):
        tools.extend(_made(point, context))
    return tools


def _made(point: EntryPoint, context: ToolContext) -> list[Tool]:
    """Load one entry point and call its factory.

    Raises:
        InvalidDefinition: it cannot be loaded, is no factory, or makes something that is no tool.
    """
    label = f"the tool entry point {point.name} = {point.value}"
    try:
        factory = cast("object", point.load())
    except (ImportError, AttributeError) as error:
        raise InvalidDefinition(f"{label} cannot be loaded: {error}") from error
    if not callable(factory):
        raise InvalidDefinition(f"{label} is no factory: it must take a ToolContext and return tools")
    made = list(cast("ToolFactory", factory)(context))
    for tool in made:
        if not isinstance(cast("object", getattr(tool, "spec", None)), ToolSpec) or not callable(getattr(tool, "call", None)):
            raise InvalidDefinition(f"{label} returned {type(tool).__name__}, which is no tool: a tool has `spec` and `call`")
    return made
