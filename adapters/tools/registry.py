"""The tools of one worker: built-ins, declared HTTP tools and plugins enter by the same door.

A plugin names a factory under the entry-point group `standfast.tools`; the factory takes a `ToolContext` and returns its tools.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

import httpx2

from adapters.tools.platform_ports import PlatformPorts
from domain.egress import OutboundClients
from domain.errors import InvalidDefinition, ToolFailed
from domain.sandbox import Sandbox, SandboxProfile
from domain.secrets import ResolveSecret
from domain.tool_registry import check_spec
from domain.tools import Tool, ToolSpec

GROUP = "standfast.tools"
"""The entry-point group of tools."""


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
        check_spec(spec)
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
