"""The tools of a process: entry points, sandboxes, and the http tools that come with a run."""

from collections.abc import Callable
from dataclasses import dataclass

from adapters.sandboxes.profiles import DEFAULT_PROFILES
from adapters.sandboxes.select import SandboxRouter
from adapters.tools.declared import DeclaredHttpTools
from adapters.tools.registry import ToolContext, ToolRegistry, load_entry_points
from wiring.outbound import build_outbound
from wiring.settings import Environment, SecretSettings


@dataclass(frozen=True)
class Toolbox:
    """The registered tools, those that declarations make, and the sandboxes under them."""

    registry: ToolRegistry
    declared: DeclaredHttpTools
    sandboxes: SandboxRouter

    async def aclose(self) -> None:
        """Close connections and sandbox pools."""
        await self.declared.aclose()
        await self.registry.aclose()
        await self.sandboxes.aclose()


def secret_resolver(settings: SecretSettings) -> Callable[[str], str]:
    """Return the function that gives a secret by name; LookupError when it is not set."""

    def resolve(name: str) -> str:
        if name not in settings.tool_secrets:
            raise LookupError(f"the secret {name} is not set: add it to STANDFAST_TOOL_SECRETS")
        return settings.tool_secrets[name].get_secret_value()

    return resolve


def build_toolbox(
    *, secrets: SecretSettings, environment: Environment, docker_url: str | None = None, docker_runtime: str | None = None
) -> Toolbox:
    """Load every registered tool; sandboxes start with their first use.

    Private addresses may be called outside production only.
    """
    resolve = secret_resolver(secrets)
    outbound = build_outbound(environment)
    sandboxes = SandboxRouter.with_all_backends(docker_url=docker_url, docker_runtime=docker_runtime)
    context = ToolContext(sandbox=sandboxes, profiles=DEFAULT_PROFILES, resolve_secret=resolve)
    registry = ToolRegistry(load_entry_points(context))
    return Toolbox(registry, DeclaredHttpTools(resolve_secret=resolve, outbound=outbound), sandboxes)
