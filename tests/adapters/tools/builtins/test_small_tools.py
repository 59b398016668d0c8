"""calc, time.now, json.query, shell.run, file.*, ledger.search: what each gives, and what it refuses."""

import base64
from datetime import UTC, datetime

import pytest
from pydantic import JsonValue

from adapters.sandboxes.profiles import DEFAULT_PROFILES
from adapters.tools.builtins.calc import Calc
from adapters.tools.builtins.factory import build
from adapters.tools.builtins.files import FileList, FileRead, FileWrite
from adapters.tools.builtins.human_ask import HumanAsk
from adapters.tools.builtins.json_query import JsonQuery
from adapters.tools.builtins.ledger_search import LedgerSearch
from adapters.tools.builtins.shell_run import ShellRun
from adapters.tools.builtins.time_now import TimeNow
from adapters.tools.registry import ToolContext, ToolRegistry
from domain.errors import NotFound, ToolFailed, ToolUnavailable
from domain.ledger import EntryBody, StoredEntry
from domain.sandbox import SandboxResult
from tests.adapters.tools.builtins.calling import call_of, called
from tests.adapters.tools.tool_calls import no_secret
from tests.fake_sandbox import FakeSandbox
from tests.fake_workspace import FakeWorkspace
from tests.outbound import outbound

FULL = DEFAULT_PROFILES["python-full"]


class TestBuiltins:
    def registry(self) -> ToolRegistry:
        context = ToolContext(sandbox=FakeSandbox(), profiles=DEFAULT_PROFILES, resolve_secret=no_secret, outbound=outbound())
        return ToolRegistry(build(context))

    def test_are_all_of_the_documented_ones(self) -> None:
        assert [spec.name for spec in self.registry().specs()] == [
            *("calc", "file.list", "file.read", "file.write", "http.request", "human.ask", "json.query", "ledger.search", "memory.save"),
            *("memory.search", "run.start", "shell.run", "sql.query", "time.now", "web.fetch", "web.search"),
        ]

    def test_say_which_argument_is_a_url_and_count_as_egress(self) -> None:
        specs = self.registry().specs()
        taking = [spec for spec in specs if "url" in str(spec.input_schema.get("properties"))]
        assert {spec.name for spec in taking} == {"http.request", "web.fetch"}
        assert all(spec.url_arguments == ("url",) and spec.egress for spec in taking)

    def test_name_their_commands_and_queries(self) -> None:
        named = {spec.name: spec.sensitive_arguments for spec in self.registry().specs()}
        assert named["shell.run"] == ("command",)
        assert named["sql.query"] == named["web.search"] == ("query",)

    @pytest.mark.parametrize("name", ["file.read", "sql.query", "memory.search", "ledger.search", "run.start", "web.search"])
    async def test_say_so_where_a_process_lacks_what_they_work_on(self, name: str) -> None:
        tool = self.registry().find(name, "1.0.0")
        given: dict[str, JsonValue] = {"path": "a", "query": "x", "database": "d", "definition": "d"}
        with pytest.raises(ToolFailed):
            await tool.call(call_of(tool, given))


class TestCalc:
    async def test_gives_the_value_as_text_and_as_a_number(self) -> None:
        assert await called(Calc(), expression="250 * 1.19") == {"value": "297.5", "number": 297.5}
        assert await called(Calc(), expression="2^60") == {"value": str(2**60), "number": None}

    async def test_tells_a_mistake_to_the_model(self) -> None:
        with pytest.raises(ToolFailed, match="division by zero"):
            await called(Calc(), expression="1/0")


class TestTimeNow:
    async def test_tells_the_time_in_a_zone(self) -> None:
        tool = TimeNow(lambda: datetime(2026, 7, 1, 22, 30, tzinfo=UTC))
        told = await called(tool, zone="Europe/Zurich")
        assert told == {"utc": "2026-07-01T22:30:00Z", "local": "2026-07-02T00:30:00+02:00", "zone": "Europe/Zurich", "weekday": "Thursday"}

    @pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "/etc/localtime"])
    async def test_knows_no_other_zone(self, zone: str) -> None:
        with pytest.raises(ToolFailed, match="no time zone"):
            await called(TimeNow(), zone=zone)


class TestJsonQuery:
    DOCUMENT: JsonValue = {"flights": [{"id": 1, "delay": 200}, {"id": 2, "delay": 20}]}

    async def test_finds_values(self) -> None:
        found = await called(JsonQuery(), path="$.flights[?@.delay > 180].id", document=self.DOCUMENT)
        assert found == {"results": [1], "truncated": False}

    async def test_reads_a_document_from_a_text(self) -> None:
        assert (await called(JsonQuery(), path="$[1]", document="[1, 2]"))["results"] == [2]

    async def test_cuts_off_many_results(self) -> None:
        found = await called(JsonQuery(), path="$[*]", document=list(range(1500)))
        assert (len(found["results"]), found["truncated"]) == (1000, True)  # pyright: ignore[reportArgumentType]  # its schema says list

    @pytest.mark.parametrize(
        ("path", "document"),
        [
            ("$[", {}),
            ("$..a..b..c", {}),
            ("$..a", [0] * 30_000),
            ('$[?match(@, "(a+)+b")]', ["aaa"]),
            ("$", "{nothing"),
            ("$", "[" * 100_000),
        ],
    )
    async def test_refuses_what_is_wrong_or_too_much(self, path: str, document: JsonValue) -> None:
        with pytest.raises(ToolFailed):
            await called(JsonQuery(), path=path, document=document)


class TestShellRun:
    async def test_runs_the_command_in_the_sandbox_alone(self) -> None:
        sandbox = FakeSandbox(answer=SandboxResult(ended="exit", exit_code=0, stdout="hi\n", stderr=""))
        told = await called(ShellRun(sandbox, FULL), command="echo hi; rm -rf /", files={"a.txt": "x"})
        assert told["stdout"] == "hi\n"
        assert sandbox.runs == [(FULL, ["/bin/sh", "-c", "echo hi; rm -rf /"], {"a.txt": b"x"})]

    async def test_is_not_available_when_the_sandbox_broke(self) -> None:
        with pytest.raises(ToolUnavailable):
            await called(ShellRun(FakeSandbox(answer=SandboxResult(ended="error", exit_code=1, stdout="", stderr="")), FULL), command="ls")

    async def test_needs_a_sandbox_with_a_shell(self) -> None:
        with pytest.raises(ToolFailed, match="no shell"):
            await called(ShellRun(FakeSandbox(), DEFAULT_PROFILES["python-small"]), command="ls")


class TestFiles:
    async def test_are_written_read_and_listed(self) -> None:
        workspace = FakeWorkspace()
        await called(FileWrite(workspace), path="notes/a.txt", content="Zoë")
        read = await called(FileRead(workspace), path="notes/a.txt")
        assert read == {"path": "notes/a.txt", "content": "Zoë", "size": 4, "truncated": False}
        listed = await called(FileList(workspace), folder="notes")
        assert [file["path"] for file in listed["files"]] == ["notes/a.txt"]  # type: ignore[union-attr,index,call-overload]  # its schema says so

    async def test_are_read_in_parts(self) -> None:
        workspace = FakeWorkspace()
        await called(FileWrite(workspace), path="a", content="abcdef")
        assert await called(FileRead(workspace), path="a", offset=2, max_chars=2) == {
            "path": "a",
            "content": "cd",
            "size": 6,
            "truncated": True,
        }

    async def test_hold_bytes_too(self) -> None:
        workspace = FakeWorkspace()
        content = base64.b64encode(b"\xff\x00").decode()
        await called(FileWrite(workspace), path="b", content=content, encoding="base64")
        assert (await called(FileRead(workspace), path="b", encoding="base64"))["content"] == content
        with pytest.raises(ToolFailed, match="base64"):
            await called(FileRead(workspace), path="b")

    @pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../b"])
    async def test_lie_in_the_workspace_only(self, path: str) -> None:
        for tool, more in ((FileRead(FakeWorkspace()), {}), (FileWrite(FakeWorkspace()), {"content": "x"})):
            with pytest.raises(ToolFailed, match="leads out"):
                await called(tool, path=path, **more)

    async def test_are_told_when_they_are_not_there_or_wrong(self) -> None:
        with pytest.raises(ToolFailed, match=r"file\.list"):
            await called(FileRead(FakeWorkspace()), path="a")
        with pytest.raises(ToolFailed, match="encoding"):
            await called(FileWrite(FakeWorkspace()), path="a", content="*", encoding="base64")


class Ledger:
    """A ledger of one run."""

    async def entries(self, tenant: str, run: str, *, after: int = 0, limit: int = 1000) -> list[StoredEntry]:
        """Return its entries."""
        if (tenant, run) != ("acme", "run-1"):
            raise NotFound("there is no such run")
        kinds = ["gateway:run:accepted", "agent:tool:called", "agent:tool:failed"]
        return [_entry(seq, kind) for seq, kind in enumerate(kinds, 1) if seq > after][:limit]

    async def head(self, tenant: str, run: str) -> tuple[int, bytes]:
        """Return the newest."""
        del tenant, run
        return 3, bytes(32)


def _entry(seq: int, kind: str) -> StoredEntry:
    body = EntryBody(
        kind=kind, at="2026-01-01T00:00:00.000000Z", principal="prn_a", correlation_id="c", epoch=1, step="s", data={"tool": "x"}
    )
    return StoredEntry(
        tenant="acme",
        run="run-1",
        seq=seq,
        recorded_at_us=0,
        prev=bytes(32),
        hash=bytes([seq]) * 32,
        body=body.canonical(),
        kind=kind,
        principal="prn_a",
        epoch=1,
        fact_seq=None,
        step="s",
        payload_digest=None,
    )


class TestLedgerSearch:
    async def test_shows_the_run_that_asks(self) -> None:
        told = await called(LedgerSearch(Ledger()), kind="agent:tool:*")
        assert [entry["seq"] for entry in told["entries"]] == [2, 3]  # type: ignore[union-attr,index,call-overload]  # its schema says list

    async def test_goes_on_where_it_was_cut(self) -> None:
        told = await called(LedgerSearch(Ledger()), limit=2)
        assert told["next"] == 2
        assert (await called(LedgerSearch(Ledger()), after=2))["next"] is None

    async def test_knows_no_run_of_another_tenant(self) -> None:
        with pytest.raises(ToolFailed, match="there is no run"):
            await called(LedgerSearch(Ledger()), run="run-2")


async def test_human_ask_is_no_call_outside_an_agent() -> None:
    with pytest.raises(ToolFailed, match="task:"):
        await HumanAsk().call(call_of(HumanAsk(), {"question": "?"}))
