"""MCP tools over stdio: a real server of the SDK in a bubblewrap sandbox."""

from pathlib import Path

import mcp
import pytest

from adapters.sandboxes.interactive import BubblewrapSessions
from domain.errors import SandboxUnavailable, ToolFailed, ToolQuarantined, ToolUnavailable
from domain.mcp import McpServerDraft
from domain.sandbox import SandboxProfile
from tests.adapters.mcp.mcp_bench import TENANT, McpBench, call_of
from tests.facilities import require

SERVER = Path(__file__).parents[2] / "servers" / "mcp_stdio_server.py"
PACKAGES = Path(mcp.__file__).parents[1]


def bench() -> McpBench:
    """Return a bench whose sandboxes see this environment's packages."""
    return McpBench(sessions=BubblewrapSessions(folder=PACKAGES))


async def register(house: McpBench, *command: str, mode: str = "plain") -> None:
    """Register the stdio server, or another command."""
    files = {"server.py": SERVER.read_text(encoding="utf-8"), "mode": mode}
    draft = McpServerDraft(
        name="files",
        transport="stdio",
        command=command or ("python3", "server.py"),
        files=files,
        environment={"FILES_TOKEN": "FILES_KEY"},
    )
    await house.servers.put(TENANT, draft, by="prn_a")


@pytest.fixture(autouse=True, scope="module")
def _bubblewrap() -> None:
    require("bubblewrap")


class TestStdioServers:
    async def test_answer_from_inside_a_sandbox_with_the_secrets_they_declared(self) -> None:
        house = bench()
        await register(house)
        await house.approve_all()
        told = await house.call("mcp.files.surroundings", {})
        assert isinstance(told, dict)
        assert told["structured"] == {"token": "s3cret-key-of-files", "uid": "65534", "home": "False"}

    async def test_tell_progress(self) -> None:
        house = bench()
        await register(house)
        await house.approve_all()
        await house.call("mcp.files.work", {"steps": 3})
        assert house.beats == [(1.0, 3.0), (2.0, 3.0), (3.0, 3.0)]

    async def test_that_changed_are_quarantined(self) -> None:
        house = bench()
        await register(house)
        await house.approve_all()
        files = {"server.py": SERVER.read_text(encoding="utf-8"), "mode": "changed"}
        server = await house.servers.get(TENANT, "files")
        tool = await house.box.find(TENANT, "mcp.files.add", "1.0.0")
        changed = server.model_copy(update={"files": files})
        [own] = [each for each in await house.servers.tools(TENANT) if each.wire_name == tool.spec.name]
        with pytest.raises(ToolQuarantined, match="description changed"):
            await house.box.call(call_of("mcp.files.add", {"a": 1, "b": 2}), changed, own, tool.spec)
        assert await house.state("mcp.files.add") == "quarantined"

    async def test_that_do_not_start_say_why(self) -> None:
        house = bench()
        await register(house, "python3", "-c", "import sys; sys.exit('no licence')")
        with pytest.raises((ToolUnavailable, ToolFailed)):
            await house.box.listing(TENANT, await house.servers.get(TENANT, "files"))

    async def test_run_in_bubblewrap_only(self) -> None:
        profile = SandboxProfile(name="x", backend="monty")
        with pytest.raises(SandboxUnavailable, match="bubblewrap only"):
            async with BubblewrapSessions().started(profile, ["true"], files={}, environment={}):
                pass

    async def test_break_no_limit(self) -> None:
        profile = SandboxProfile(name="small", backend="bubblewrap", wall_s=0.3, memory_bytes=64 * 1024 * 1024)
        async with BubblewrapSessions().started(profile, ["cat"], files={}, environment={}) as process:
            await process.write(b"hello\n")
            assert await process.read() == b"hello\n"
            assert await process.read() == b""
            assert "longer than 0.3 s" in process.complaint()
