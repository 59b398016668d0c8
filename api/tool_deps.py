"""What the registry of tools needs beside the other stores, and the tools of one tenant."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from pydantic import JsonValue

from domain.declared_tools import declaration_of
from domain.mcp_stores import TenantTools
from domain.registry import DefinitionDraft
from domain.sandbox_tool import SandboxGate
from domain.tool_anomalies import AnomalyReader
from domain.tool_audit import CallAudit
from domain.tool_registry import RegisteredTool, ToolStore, UsableTools, catalogue, usable
from domain.tool_uses import tools_asked
from domain.tools import ToolSpec


@dataclass(frozen=True, kw_only=True)
class ToolDeps:
    """The ports. `read_document` parses YAML or JSON; `servers` are the tools of MCP servers; `gate` judges tools' sandboxes."""

    store: ToolStore
    audit: CallAudit
    anomalies: AnomalyReader
    read_document: Callable[[str], JsonValue]
    servers: TenantTools | None = None
    gate: SandboxGate | None = None


class ToolPorts(Protocol):
    """What it takes to know a tenant's tools; GatewayDeps has it."""

    @property
    def tools(self) -> ToolDeps:
        """The registry."""
        ...

    @property
    def tool_specs(self) -> Callable[[], list[ToolSpec]]:
        """The tools that this version of the platform and its plugins bring along."""
        ...


async def check_sandboxes(ports: ToolPorts, tools: Iterable[tuple[ToolSpec, dict[str, JsonValue] | None]]) -> None:
    """Refuse tools whose sandbox cannot be had, at registration; never does another sandbox take its place.

    Raises:
        SandboxUnavailable: of the first such tool.
    """
    if ports.tools.gate is not None:
        for spec, declaration in tools:
            await ports.tools.gate.require(spec, declaration)


def tools_named(definition: DefinitionDraft, tools: UsableTools) -> list[tuple[ToolSpec, dict[str, JsonValue] | None]]:
    """Return the tools that a definition's bundle declares, with their declarations, and those of the tenant that its steps name."""
    own = [(declaration_of(declaration).spec(), declaration) for declaration in definition.tools]
    asked = tools_asked(definition).keys() - {spec.name for spec, _ in own}
    return [*own, *((spec, None) for spec in tools.specs if spec.name in asked)]


async def tools_of(ports: ToolPorts, tenant: str) -> list[RegisteredTool]:
    """Return every tool of a tenant, by name, then newest first."""
    servers = ports.tools.servers
    own = [] if servers is None else await servers.specs(tenant)
    return catalogue([*ports.tool_specs(), *own], await ports.tools.store.rows(tenant))


async def usable_tools(ports: ToolPorts, tenant: str) -> UsableTools:
    """Return what a new definition or run of a tenant may pin."""
    return usable(await tools_of(ports, tenant))


def with_registered(definition: DefinitionDraft, tools: UsableTools) -> DefinitionDraft:
    """Return a definition with the declarations of registered tools beside its bundle's own, which win."""
    own = {(tool.get("name"), tool.get("version", "1.0.0")) for tool in definition.tools}
    more = [tool for tool in tools.declared if (tool.get("name"), tool.get("version", "1.0.0")) not in own]
    return definition.model_copy(update={"tools": [*definition.tools, *more]}) if more else definition
