"""The tools of a process: entry points, sandboxes, and the http tools that come with a run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from adapters.outbound.clients import GuardedClients
from adapters.sandboxes.profiles import DEFAULT_PROFILES
from adapters.sandboxes.select import SandboxOptions, SandboxRouter
from adapters.tools.declared import DeclaredHttpTools
from adapters.tools.platform_ports import PlatformPorts
from adapters.tools.registry import ToolContext, ToolRegistry
from adapters.tools.sandbox_tool import profile_for
from domain.declared_tools import declaration_of
from domain.errors import SandboxUnavailable
from domain.sandbox import SandboxProfile
from domain.sandbox_tool import ContainerToolDeclaration, SandboxGate, WasmToolDeclaration
from domain.secrets import ResolveSecret
from domain.tools import ToolSpec
from wiring.outbound import build_outbound, sandbox_addresses
from wiring.secrets import no_secrets
from wiring.settings import Environment
from wiring.settings_sandboxes import SandboxSettings
from wiring.tool_plugins import load_entry_points

PortsOf = Callable[[GuardedClients], PlatformPorts]
"""Return what built-in tools work on, given the way to hosts; `wiring.builtins` has it."""


class ProfiledSandboxes:
    """Implements `SandboxGate`. In production the workers may be on other machines: only what holds everywhere is judged there."""

    def __init__(self, sandboxes: SandboxRouter, profiles: Mapping[str, SandboxProfile], *, same_machine: bool) -> None:
        self._sandboxes = sandboxes
        self._profiles = dict(profiles)
        self._same_machine = same_machine

    async def require(self, spec: ToolSpec, declaration: dict[str, JsonValue] | None = None) -> None:
        """Let a tool pass whose sandbox is there, or that needs none.

        Raises:
            SandboxUnavailable: its profile is unknown, its backend is missing, or cannot give what the profile asks.
        """
        if spec.sandbox is None:
            return
        profile = self._profiles.get(spec.sandbox)
        if profile is None:
            have = ", ".join(sorted(self._profiles))
            raise SandboxUnavailable(
                f"the tool {spec.name} needs the sandbox profile {spec.sandbox}, and there are {have}", where="/sandbox"
            )
        checked = None if declaration is None else declaration_of(declaration)
        if isinstance(checked, ContainerToolDeclaration | WasmToolDeclaration):
            profile = profile_for(checked, profile)
        await self._sandboxes.require(profile, here=self._same_machine)


@dataclass(frozen=True)
class Toolbox:
    """The registered tools, those that declarations make, and the sandboxes under them."""

    registry: ToolRegistry
    declared: DeclaredHttpTools
    sandboxes: SandboxRouter
    gate: SandboxGate | None = None

    async def aclose(self) -> None:
        """Close connections and sandbox pools."""
        await self.declared.aclose()
        await self.registry.aclose()
        await self.sandboxes.aclose()


def build_sandboxes(settings: SandboxSettings, environment: Environment, outbound: GuardedClients) -> SandboxRouter:
    """Build the router over every backend; in production images are named by digest."""
    return SandboxRouter.with_all_backends(
        SandboxOptions(
            docker_url=settings.docker_url,
            docker_runtime=settings.docker_runtime,
            pinned=environment == "production",
            warm=settings.warm,
            cgroup=settings.cgroup,
            addresses=sandbox_addresses(outbound),
        )
    )


def build_toolbox(*, environment: Environment, resolve: ResolveSecret = no_secrets, ports: PortsOf | None = None) -> Toolbox:
    """Load every registered tool; sandboxes start with their first use.

    Private addresses may be called outside production only. Without `resolve` the tools get no secrets, and without `ports` those that
    keep or read something can only be looked at.
    """
    outbound = build_outbound(environment)
    settings = SandboxSettings()
    sandboxes = build_sandboxes(settings, environment, outbound)
    profiles = {**DEFAULT_PROFILES, **settings.profiles}
    given = PlatformPorts() if ports is None else ports(outbound)
    context = ToolContext(sandbox=sandboxes, profiles=profiles, resolve_secret=resolve, outbound=outbound, ports=given)
    registry = ToolRegistry(load_entry_points(context))
    declared = DeclaredHttpTools(resolve_secret=resolve, outbound=outbound, sandbox=sandboxes, profiles=profiles, modules=settings.modules)
    return Toolbox(registry, declared, sandboxes, ProfiledSandboxes(sandboxes, profiles, same_machine=environment != "production"))
