"""`standfast mcp` and `standfast secrets` against the real gateway; `mcp serve` against a real client over stdio."""

import json
import sys
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from cli.exit_codes import ExitCode
from domain.mcp import Listed
from tests.cli.command_line import CommandLine

URL = "https://mcp.example/mcp"
READ = Listed(name="read_file", description="Read a\x1b[2J file.", input_schema={"type": "object"})
PLAIN = READ.model_copy(update={"description": "Read a file."})


def added(standfast: CommandLine, *tools: Listed) -> None:
    """Register a server that lists these."""
    done = standfast("mcp", "add", "files", "--endpoint", URL, "--header", "X-Key=FILES_KEY")
    assert done.exit_code == ExitCode.OK, done.output
    standfast.live.house.stores.mcp_connections.lists["files"] = list(tools)
    assert standfast("mcp", "check", "files").exit_code == ExitCode.OK


class TestServers:
    def test_are_added_listed_shown_and_removed(self, standfast: CommandLine) -> None:
        added(standfast, PLAIN)
        assert "mcp.example" in standfast("mcp", "list").stdout
        shown = standfast("mcp", "show", "files").stdout
        assert "X-Key=FILES_KEY" in shown
        assert "mcp.files.read_file" in shown
        assert json.loads(standfast("mcp", "--json").stdout)[0]["name"] == "files"
        assert "is gone" in standfast("mcp", "remove", "files").stdout
        assert standfast("mcp", "show", "files").exit_code == ExitCode.NOT_FOUND
        assert "no MCP server" in standfast("mcp", "list").stderr

    def test_that_run_in_sandboxes_bring_their_files(self, standfast: CommandLine, tmp_path: Path) -> None:
        file = tmp_path / "server.py"
        file.write_text("print(1)", encoding="utf-8")
        words = ("--file", str(file), "--env", "TOKEN=FILES_KEY", "--json", "--", "python3", "server.py")
        made = json.loads(standfast("mcp", "add", "local", *words).stdout)
        assert (made["command"], made["files"], made["environment"]) == (["python3", "server.py"], {"server.py": 8}, {"TOKEN": "FILES_KEY"})

    @pytest.mark.parametrize("words", [(), ("--endpoint", URL, "--", "sh"), ("--endpoint", URL, "--header", "X-Key")])
    def test_that_cannot_be_are_refused(self, standfast: CommandLine, words: tuple[str, ...]) -> None:
        assert standfast("mcp", "add", "files", *words).exit_code == ExitCode.USAGE


class TestTools:
    def test_are_approved_as_they_are_shown(self, standfast: CommandLine) -> None:
        added(standfast, PLAIN)
        read = standfast("mcp", "show", "files", "read_file").stdout
        assert f"pin: {PLAIN.pin}" in read
        done = standfast("mcp", "approve", "files", "read_file", "--effect", "read", "--pin", PLAIN.pin)
        assert "may be called as read, in version 1.0.0" in done.stdout, done.output
        held = standfast("mcp", "quarantine", "files", "read_file", "--reason", "odd")
        assert "is quarantined" in held.stdout

    def test_are_approved_by_nobody_who_does_not_say_yes(self, standfast: CommandLine) -> None:
        added(standfast, PLAIN)
        assert standfast("mcp", "approve", "files", "read_file", "--effect", "read").exit_code != ExitCode.OK
        assert '"state": "found"' in standfast("mcp", "show", "files", "read_file", "--json").stdout

    def test_command_no_terminal_and_are_not_approved(self, standfast: CommandLine) -> None:
        added(standfast, READ)
        read = standfast("mcp", "show", "files", "read_file").stdout
        assert "\x1b" not in read
        assert "U+001B" in read
        assert standfast("mcp", "approve", "files", "read_file", "--effect", "read", "--pin", READ.pin).exit_code != ExitCode.OK


class TestSecrets:
    def test_are_set_listed_and_removed(self, standfast: CommandLine) -> None:
        reference = "env:STANDFAST_SECRET_DEFAULT__BANK"
        assert reference in standfast("secrets", "set-reference", "BANK", reference).stdout
        assert reference in standfast("secrets", "list").stdout
        assert "is gone from production" in standfast("secrets", "remove", "BANK").stdout
        assert "no secret" in standfast("secrets").stderr

    def test_are_never_values(self, standfast: CommandLine) -> None:
        refused = standfast("secrets", "set-reference", "BANK", "s3cret-as-it-is")
        assert refused.exit_code != ExitCode.OK
        assert "never the value itself" in refused.stderr
        assert "s3cret-as-it-is" not in refused.output


class TestServe:
    async def test_is_an_mcp_server_that_does_what_the_key_may(self, standfast: CommandLine) -> None:
        house = standfast.live.house
        environment = {"STANDFAST_URL": standfast.live.url, "STANDFAST_API_KEY": house.keys["operator"]}
        command = StdioServerParameters(command=sys.executable, args=["-m", "cli.main", "mcp", "serve"], env=environment)
        async with Client(command, cache=None, read_timeout_seconds=30) as client:
            arguments = {"definition": "delay-claim", "input": {"claim": {"id": "c-1"}}, "idempotency_key": "k-1"}
            started = (await client.call_tool("start_run", arguments)).structured_content
            status = await client.call_tool("run_status", {"run": started["run"]})
            missing = await client.call_tool("run_status", {"run": "run_00000000000000000000000001"})
            result = await client.call_tool("run_result", {"run": started["run"], "wait_s": 0})
            approvals = await client.call_tool("list_approvals", {})
        assert (status.structured_content or {})["status"] == "accepted"
        assert (missing.is_error, result.structured_content) == (True, {"run": started["run"], "status": "accepted"})
        assert approvals.structured_content == {"items": []}
