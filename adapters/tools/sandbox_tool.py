"""Tools that are a program in a sandbox: JSON on standard input, JSON on standard output, the profile's limits around it."""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from domain.errors import StandfastError, ToolAnswerInvalid, ToolFailed, ToolTimedOut, ToolUnavailable
from domain.sandbox import Sandbox, SandboxProfile, SandboxResult
from domain.sandbox_tool import TRY_AGAIN, ContainerToolDeclaration, SandboxToolDeclaration, WasmToolDeclaration
from domain.secrets import ResolveSecret, only_declared
from domain.tools import ToolCall, ToolSpec

MODULE = "tool.wasm"
TOLD_MAX = 500
"""Characters of a failing program's standard error that are handed on."""


class SandboxTool:
    """One declaration, callable. A sandbox that broke by itself changed nothing outside unless the program had hosts to reach."""

    def __init__(
        self, declaration: SandboxToolDeclaration, *, sandbox: Sandbox, profile: SandboxProfile, resolve_secret: ResolveSecret
    ) -> None:
        self._declaration = declaration
        self._spec = declaration.spec()
        self._sandbox = sandbox
        self._profile = profile
        self._resolve_secret = resolve_secret

    @property
    def spec(self) -> ToolSpec:
        """What the tool declares."""
        return self._spec

    async def call(self, call: ToolCall) -> JsonValue:
        """Run the program once; cancelling kills it.

        Raises:
            ToolFailed: the program says no, wrote too much or no JSON, or a secret is not set.
            ToolUnavailable: the program asks to be called again, or the sandbox broke before it could do anything.
            ToolTimedOut: it was stopped on the way, and it may have changed the world.
            ToolAnswerInvalid: it ended well and wrote no JSON.
            SandboxUnavailable: this worker cannot give the profile.
        """
        reveal = only_declared(self._spec.name, self._spec.secrets, self._resolve_secret)
        secrets = {name: await reveal(call.tenant, name) for name in self._spec.secrets}
        given = {"arguments": call.arguments, "idempotency_key": call.idempotency_key, "secrets": secrets}
        result = await self._sandbox.run(self._profile, self.command(), files=await asyncio.to_thread(self.files), stdin=_line(given))
        if result.ended == "exit" and result.exit_code == 0:
            return self._answer(result)
        raise self._failure(result, list(secrets.values()))

    def command(self) -> list[str]:
        """Return what is run."""
        declared = self._declaration
        if isinstance(declared, ContainerToolDeclaration):
            return list(declared.command)
        return [MODULE, *(declared.arguments if isinstance(declared, WasmToolDeclaration) else ())]

    def files(self) -> dict[str, bytes]:
        """Return the files beside the program; blocking.

        Raises:
            ToolFailed: a module is missing.
        """
        return {}

    def _answer(self, result: SandboxResult) -> JsonValue:
        """Read what the program wrote.

        Raises:
            ToolAnswerInvalid: it is no JSON.
        """
        try:
            return cast("JsonValue", json.loads(result.stdout, parse_constant=str)) if result.stdout.strip() else None
        except (ValueError, RecursionError) as error:
            raise ToolAnswerInvalid(f"{self._spec.name} wrote no JSON to its standard output: {result.stdout[:TOLD_MAX]!r}") from error

    def _failure(self, result: SandboxResult, secrets: list[str]) -> StandfastError:
        """Return what a program that did not end well means."""
        said = result.stderr.strip()[-TOLD_MAX:] or "it said nothing"
        for secret in filter(None, secrets):
            said = said.replace(secret, "***")
        name, started = self._spec.name, self._spec.effect_class.changes_world
        if result.ended == "exit":
            told = f"{name} ended with exit code {result.exit_code}: {said}"
            return ToolUnavailable(told) if result.exit_code == TRY_AGAIN else ToolFailed(told)
        told = f"{name} was stopped by its sandbox ({result.ended}): {said}"
        if started:
            return ToolTimedOut(f"{told}; whether it took effect is unknown")
        return ToolUnavailable(told) if result.ended == "error" else ToolFailed(told)


class WasmTool(SandboxTool):
    """A module; `modules` is the worker's folder of them, each named by its digest."""

    def __init__(
        self,
        declaration: WasmToolDeclaration,
        *,
        sandbox: Sandbox,
        profile: SandboxProfile,
        resolve_secret: ResolveSecret,
        modules: Path | None,
    ) -> None:
        super().__init__(declaration, sandbox=sandbox, profile=profile, resolve_secret=resolve_secret)
        self._own = declaration.content()
        self._sha256 = declaration.module_sha256
        self._modules = modules

    def files(self) -> dict[str, bytes]:
        """Return the module, checked against its digest each time it is read; blocking.

        Raises:
            ToolFailed: this worker has no such module, or another one under its name.
        """
        if self._own is not None:
            return {MODULE: self._own}
        place = None if self._modules is None else self._modules / f"{self._sha256}.wasm"
        try:
            content = place.read_bytes() if place is not None else None
        except OSError:
            content = None
        if content is None:
            where = "STANDFAST_WASM_MODULES is not set" if place is None else f"{place} cannot be read"
            raise ToolFailed(f"{self._spec.name} needs the module {self._sha256}, which this worker lacks: {where}")
        if hashlib.sha256(content).hexdigest() != self._sha256:
            raise ToolFailed(f"{self._spec.name}: {place} is another module than its name says; it was not run")
        return {MODULE: content}


def profile_for(declaration: SandboxToolDeclaration, profile: SandboxProfile) -> SandboxProfile:
    """Return the profile with what the declaration says: its image, its hosts, and its time where that is shorter."""
    update: dict[str, object] = {"wall_s": min(profile.wall_s, declaration.timeout_s), "files_out": ()}
    if isinstance(declaration, ContainerToolDeclaration):
        update |= {"network": "allow" if declaration.egress else "none", "egress": declaration.egress}
        update |= {"image": declaration.image} if declaration.image is not None else {}
    return profile.model_copy(update=update)


def _line(given: Mapping[str, object]) -> bytes:
    """Return one line of JSON."""
    return json.dumps(given, ensure_ascii=False).encode() + b"\n"
