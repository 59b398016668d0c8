"""What `standfast doctor` finds out about a machine."""

import base64
import socket
from pathlib import Path

import pytest
from pydantic import JsonValue

from adapters.sandboxes.profiles import DEFAULT_PROFILES
from adapters.sandboxes.select import SandboxRouter
from domain.errors import SandboxUnavailable
from domain.sandbox import SandboxProfile
from domain.tools import ToolSpec
from tests.fake_sandbox import FakeSandbox
from wiring.machine import database_refusal, key_problem, port_taken, sandboxes_found
from wiring.tools import ProfiledSandboxes

KEY = base64.b64encode(bytes(32))
SPEC = ToolSpec.model_validate(
    {"name": "a.b", "version": "1.0.0", "description": "Does it.", "input_schema": {}, "effect_class": "none", "sandbox": "container"}
)
CONTAINER: dict[str, JsonValue] = {
    "kind": "container",
    "name": "a.b",
    "description": "Does it.",
    "input": {},
    "effect_class": "none",
    "command": ["do"],
}


class TestMasterKey:
    def test_is_sound_or_made_later(self, tmp_path: Path) -> None:
        assert key_problem(tmp_path / "none") is None
        (tmp_path / "key").write_bytes(KEY)
        (tmp_path / "key").chmod(0o600)
        assert key_problem(tmp_path / "key") is None

    @pytest.mark.parametrize(
        ("content", "mode", "told"),
        [(KEY, 0o644, "chmod 600"), (b"AAAA", 0o600, "no 32 bytes"), (b"%%%", 0o600, "no base64"), (b"\xff", 0o600, "cannot be read")],
    )
    def test_says_what_is_wrong_with_it(self, content: bytes, mode: int, told: str, tmp_path: Path) -> None:
        (tmp_path / "key").write_bytes(content)
        (tmp_path / "key").chmod(mode)
        assert told in str(key_problem(tmp_path / "key"))


class TestPort:
    def test_is_taken_while_something_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            assert port_taken("127.0.0.1", port)
        assert not port_taken("127.0.0.1", port)


class TestDatabase:
    async def test_that_does_not_answer_is_told_with_what_to_do(self) -> None:
        assert "DATABASE_URL" in str(await database_refusal("postgresql://nobody@127.0.0.1:9/none"))


class TestSandboxes:
    async def test_in_production_name_profiles_whose_image_is_not_pinned(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("STANDFAST_SANDBOX_PROFILES", raising=False)
        found = {each.name: each async for each in sandboxes_found("production")}
        assert found["monty"].reason is None
        assert found["bubblewrap"].reason is not None or found["bubblewrap"].limits
        if found["docker"].reason is None:
            assert "by digest" in str(found["profile container"].reason)

    async def test_of_the_installation_replace_those_of_the_platform(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STANDFAST_SANDBOX_PROFILES", '{"mine": {"backend": "monty", "network": "allow", "egress": ["a.example"]}}')
        found = {each.name: each async for each in sandboxes_found("development")}
        assert "no sockets" in str(found["profile mine"].reason)


class TestRegistration:
    def gate(self, *, same_machine: bool, missing: str | None = None) -> ProfiledSandboxes:
        """A gate over one docker backend."""
        router = SandboxRouter({"docker": FakeSandbox(missing_reason=missing)})
        return ProfiledSandboxes(router, DEFAULT_PROFILES, same_machine=same_machine)

    async def test_passes_a_tool_whose_sandbox_is_there(self) -> None:
        await self.gate(same_machine=True).require(SPEC)
        await self.gate(same_machine=True, missing="gone").require(SPEC.model_copy(update={"sandbox": None}))

    async def test_refuses_a_profile_that_nobody_has(self) -> None:
        with pytest.raises(SandboxUnavailable, match="needs the sandbox profile gpu, and there are container, container-gvisor"):
            await self.gate(same_machine=False).require(SPEC.model_copy(update={"sandbox": "gpu"}))

    async def test_refuses_a_missing_backend_where_the_workers_are_here(self) -> None:
        with pytest.raises(SandboxUnavailable, match="install Docker"):
            await self.gate(same_machine=True, missing="install Docker").require(SPEC)
        await self.gate(same_machine=False, missing="install Docker").require(SPEC)

    async def test_judges_what_a_declaration_adds_to_its_profile(self) -> None:
        with pytest.raises(SandboxUnavailable, match="has no network"):
            await self.gate(same_machine=True).require(SPEC, {**CONTAINER, "egress": ["a.example"]})

    async def test_refuses_a_backend_that_is_not_there_at_all(self) -> None:
        gate = ProfiledSandboxes(SandboxRouter({}), {"wasm": SandboxProfile(name="wasm", backend="wasm")}, same_machine=False)
        with pytest.raises(SandboxUnavailable, match="configured with none"):
            await gate.require(SPEC.model_copy(update={"sandbox": "wasm"}))
