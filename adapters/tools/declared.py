"""Tools made from declarations that travel with a run; each declaration is checked and built once per process."""

from collections.abc import Mapping
from pathlib import Path

import httpx2
from pydantic import JsonValue, ValidationError

from adapters.tools.http_tool import HttpTool
from adapters.tools.sandbox_tool import SandboxTool, WasmTool, profile_for
from domain.canonical import digest_hex
from domain.declared_tools import declaration_of
from domain.egress import OutboundClients
from domain.errors import ToolFailed
from domain.http_tool import HttpToolDeclaration
from domain.sandbox import Sandbox, SandboxProfile
from domain.sandbox_tool import SandboxToolDeclaration, WasmToolDeclaration
from domain.secrets import ResolveSecret


class DeclaredHttpTools:
    """Implements `domain.tools.DeclaredTools` for `http`, `container` and `wasm` declarations.

    Args:
        resolve_secret: gives (tenant, name)'s secret; raises LookupError when it is not set.
        outbound: the way to their hosts.
        sandbox: where containers and modules run; without one they cannot.
        profiles: the sandbox profiles that declarations name.
        modules: the worker's folder of WebAssembly modules, each named by its SHA-256.
    """

    def __init__(
        self,
        *,
        resolve_secret: ResolveSecret,
        outbound: OutboundClients[httpx2.AsyncBaseTransport],
        sandbox: Sandbox | None = None,
        profiles: Mapping[str, SandboxProfile] | None = None,
        modules: Path | None = None,
    ) -> None:
        self._resolve_secret = resolve_secret
        self._outbound = outbound
        self._sandbox = sandbox
        self._profiles = dict(profiles or {})
        self._modules = modules
        self._built: dict[str, HttpTool | SandboxTool] = {}

    def tool(self, declaration: dict[str, JsonValue]) -> HttpTool | SandboxTool:
        """Return the tool of a declaration.

        Raises:
            ToolFailed: it is no declaration of this version, or names a sandbox profile that this worker lacks.
        """
        key = digest_hex("standfast:tool:v1", declaration)
        if key not in self._built:
            try:
                checked = declaration_of(declaration)
            except ValidationError as error:
                raise ToolFailed(
                    f"the declaration of {declaration.get('name')} is none of this version's: {error.errors()[0]['msg']}"
                ) from error
            if isinstance(checked, HttpToolDeclaration):
                self._built[key] = HttpTool(checked, resolve_secret=self._resolve_secret, outbound=self._outbound)
            else:
                self._built[key] = self._in_sandbox(checked)
        return self._built[key]

    def _in_sandbox(self, declaration: SandboxToolDeclaration) -> SandboxTool:
        """Return the tool of a program in a sandbox.

        Raises:
            ToolFailed: this worker has no such profile.
        """
        profile = self._profiles.get(declaration.sandbox)
        if self._sandbox is None or profile is None:
            have = ", ".join(sorted(self._profiles)) or "none"
            raise ToolFailed(f"{declaration.name} needs the sandbox profile {declaration.sandbox}; this worker has {have}")
        fitted, sandbox, resolve = profile_for(declaration, profile), self._sandbox, self._resolve_secret
        if isinstance(declaration, WasmToolDeclaration):
            return WasmTool(declaration, sandbox=sandbox, profile=fitted, resolve_secret=resolve, modules=self._modules)
        return SandboxTool(declaration, sandbox=sandbox, profile=fitted, resolve_secret=resolve)

    async def aclose(self) -> None:
        """Close the tools' connections."""
        for tool in self._built.values():
            if isinstance(tool, HttpTool):
                await tool.aclose()
