"""Tools that are a program in a sandbox: what the program is given, and what its end means."""

import base64
import hashlib
import json
from pathlib import Path
from typing import cast

import pytest
from pydantic import JsonValue, ValidationError

from adapters.outbound.clients import GuardedClients
from adapters.sandboxes.wasm import WasmSandbox
from adapters.tools.declared import DeclaredHttpTools
from adapters.tools.sandbox_tool import SandboxTool, profile_for
from domain.declared_tools import declaration_of
from domain.errors import StandfastError, ToolAnswerInvalid, ToolFailed, ToolTimedOut, ToolUnavailable
from domain.sandbox import Sandbox, SandboxProfile, SandboxResult
from domain.sandbox_tool import ContainerToolDeclaration, WasmToolDeclaration
from tests.adapters.tools.tool_calls import tool_call
from tests.contracts import wasm_programs
from tests.contracts.sandbox_subjects import module_of
from tests.fake_sandbox import FakeSandbox

CONTAINER: dict[str, JsonValue] = {
    "kind": "container",
    "name": "claims.convert",
    "description": "Converts a claim.",
    "input": {"type": "object"},
    "effect_class": "none",
    "command": ["convert", "--json"],
    "image": "registry.example/convert@sha256:" + "a" * 64,
    "timeout_s": 5.0,
}
ECHO = """(loop $on
  (local.set $i (call $read (i32.const 0)))
  (call $say (i32.const 1) (i32.const 4096) (local.get $i))
  (br_if $on (local.get $i)))"""
MODULE = module_of(wasm_programs.module(ECHO))
WASM: dict[str, JsonValue] = {
    "kind": "wasm",
    "name": "claims.echo",
    "description": "Says what it was asked.",
    "input": {"type": "object"},
    "effect_class": "none",
    "module_sha256": hashlib.sha256(MODULE).hexdigest(),
}
PROFILES = {
    "container": SandboxProfile(name="container", backend="docker", image="python:3.11-slim", wall_s=60.0),
    "wasm": SandboxProfile(name="wasm", backend="wasm", wall_s=20.0),
}


def changed(declared: dict[str, JsonValue], **changes: JsonValue) -> dict[str, JsonValue]:
    """Return a declaration with some fields changed."""
    return {**declared, **changes}


async def secret_of(tenant: str, name: str) -> str:
    """Have one secret.

    Raises:
        LookupError: it is another.
    """
    if name != "TOKEN":
        raise LookupError(name)
    return f"{tenant}-t0ken"


def tool_of(declared: dict[str, JsonValue], sandbox: Sandbox, *, modules: Path | None = None) -> SandboxTool:
    """Return the tool of a declaration, as a worker makes it."""
    made = DeclaredHttpTools(resolve_secret=secret_of, outbound=GuardedClients(), sandbox=sandbox, profiles=PROFILES, modules=modules).tool(
        declared
    )
    assert isinstance(made, SandboxTool)
    return made


def ended(**fields: object) -> FakeSandbox:
    """Return a sandbox whose every run ends so."""
    shared = {"ended": "exit", "exit_code": 0, "stdout": "", "stderr": ""}
    return FakeSandbox(answer=SandboxResult.model_validate(shared | fields))


class TestContainerTool:
    async def test_gives_arguments_key_and_secrets_on_standard_input_and_reads_json(self) -> None:
        sandbox = ended(stdout='{"sum": 3}\n')
        tool = tool_of(changed(CONTAINER, secrets=["TOKEN"]), sandbox)
        assert await tool.call(tool_call({"claim": "c1"})) == {"sum": 3}
        profile, command, files = sandbox.runs[0]
        assert (command, files, profile.image, profile.wall_s) == (["convert", "--json"], {}, CONTAINER["image"], 5.0)
        given = json.loads(sandbox.inputs[0])
        assert (given["arguments"], given["secrets"]) == ({"claim": "c1"}, {"TOKEN": "acme-t0ken"})
        assert given["idempotency_key"]

    async def test_has_no_network_unless_it_declares_hosts(self) -> None:
        declared = ContainerToolDeclaration.model_validate(CONTAINER)
        assert profile_for(declared, PROFILES["container"]).network == "none"
        open_one = declared.model_copy(update={"egress": ("api.example.org",)})
        fitted = profile_for(open_one, PROFILES["container"])
        assert (fitted.network, fitted.egress) == ("allow", ("api.example.org",))

    async def test_says_nothing_where_the_program_wrote_nothing(self) -> None:
        assert await tool_of(CONTAINER, ended(stdout=" \n")).call(tool_call({})) is None

    @pytest.mark.parametrize(
        ("result", "effect_class", "error"),
        [
            ({"exit_code": 2, "stderr": "no such claim"}, "none", ToolFailed),
            ({"exit_code": 75, "stderr": "busy"}, "none", ToolUnavailable),
            ({"stdout": "not json"}, "none", ToolAnswerInvalid),
            ({"ended": "timeout", "exit_code": 137}, "none", ToolFailed),
            ({"ended": "timeout", "exit_code": 137}, "write", ToolTimedOut),
            ({"ended": "error", "exit_code": 137}, "none", ToolUnavailable),
            ({"ended": "error", "exit_code": 137}, "money", ToolTimedOut),
            ({"ended": "output", "exit_code": 137}, "read", ToolFailed),
        ],
    )
    async def test_tells_what_an_end_means(self, result: dict[str, object], effect_class: str, error: type[StandfastError]) -> None:
        with pytest.raises(error):
            await tool_of(changed(CONTAINER, effect_class=effect_class), ended(**result)).call(tool_call({}))

    async def test_tells_no_secret_that_the_program_complained_of(self) -> None:
        tool = tool_of(changed(CONTAINER, secrets=["TOKEN"]), ended(exit_code=1, stderr="bad token acme-t0ken"))
        with pytest.raises(ToolFailed) as caught:
            await tool.call(tool_call({}))
        assert "t0ken" not in caught.value.detail

    async def test_needs_its_secrets(self) -> None:
        with pytest.raises(ToolFailed, match="needs the secret OTHER"):
            await tool_of(changed(CONTAINER, secrets=["OTHER"]), ended()).call(tool_call({}))

    async def test_needs_a_profile_of_this_worker(self) -> None:
        with pytest.raises(ToolFailed, match="needs the sandbox profile gpu; this worker has container, wasm"):
            tool_of(changed(CONTAINER, sandbox="gpu"), ended())


class TestWasmTool:
    @pytest.mark.parametrize("place", ["declaration", "folder"])
    async def test_runs_the_module(self, place: str, tmp_path: Path) -> None:
        sandbox = WasmSandbox(warm=0)
        (tmp_path / f"{WASM['module_sha256']}.wasm").write_bytes(MODULE)
        inline: dict[str, JsonValue] = {"module": base64.b64encode(MODULE).decode()} if place == "declaration" else {}
        tool = tool_of(changed(WASM, **inline), sandbox, modules=tmp_path)
        said = cast("dict[str, JsonValue]", await tool.call(tool_call({"claim": "c1"})))
        assert said["arguments"] == {"claim": "c1"}

    async def test_never_runs_another_module_under_its_name(self, tmp_path: Path) -> None:
        sandbox = FakeSandbox()
        (tmp_path / f"{WASM['module_sha256']}.wasm").write_bytes(MODULE + b"\0")
        with pytest.raises(ToolFailed, match="another module than its name says"):
            await tool_of(WASM, sandbox, modules=tmp_path).call(tool_call({}))
        assert sandbox.runs == []

    async def test_says_where_it_looked_for_a_missing_module(self, tmp_path: Path) -> None:
        with pytest.raises(ToolFailed, match="STANDFAST_WASM_MODULES is not set"):
            await tool_of(WASM, FakeSandbox()).call(tool_call({}))
        with pytest.raises(ToolFailed, match="cannot be read"):
            await tool_of(WASM, FakeSandbox(), modules=tmp_path).call(tool_call({}))


class TestDeclaration:
    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"module": base64.b64encode(b"other").decode()}, "another than module_sha256"),
            ({"module": "no base64!"}, "base64"),
            ({"module_sha256": "ABC"}, "64 hexadecimal digits"),
        ],
    )
    def test_refuses_a_module_that_is_not_the_one_named(self, change: dict[str, JsonValue], told: str) -> None:
        with pytest.raises(ValidationError, match=told):
            declaration_of(changed(WASM, **change))

    @pytest.mark.parametrize("host", ["https://api.example.org", "API.example.org", "*", "api example"])
    def test_refuses_hosts_that_are_none(self, host: str) -> None:
        with pytest.raises(ValidationError, match="is no host"):
            declaration_of(changed(CONTAINER, egress=[host]))

    def test_becomes_a_spec_of_its_kind(self) -> None:
        container, wasm = declaration_of(changed(CONTAINER, egress=["api.example.org"])).spec(), declaration_of(WASM).spec()
        assert (container.kind, container.sandbox, container.egress, container.timeout_s) == (
            "container",
            "container",
            ("api.example.org",),
            15.0,
        )
        assert (wasm.kind, wasm.sandbox, wasm.egress) == ("wasm", "wasm", ())
        assert isinstance(declaration_of(WASM), WasmToolDeclaration)
