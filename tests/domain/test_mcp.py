"""MCP servers and tools as values: what may be registered, how tools are named, what a pin holds, and when one is another."""

import pytest
from pydantic import ValidationError

from domain.effects import EffectClass, RetryClass
from domain.errors import InvalidInput
from domain.mcp import (
    FILES_BYTES_MAX,
    TOOLS_MAX,
    Approval,
    Listed,
    McpServer,
    McpServerDraft,
    approved,
    drift,
    quarantined,
    seen,
    spec_of,
    wire_name,
)
from domain.mcp_served import SERVED, asked

AT, LATER = "2026-01-05T09:00:00.000000Z", "2026-01-06T09:00:00.000000Z"
READ = Listed(name="read", description="Read.", input_schema={"type": "object"})
WRITE = Listed(name="write", description="Write.", input_schema={"type": "object"})
SERVER = McpServer(name="files", transport="http", url="https://MCP.example/mcp", headers={"X": "KEY"}, created_by="a", created_at=AT)


class TestNames:
    @pytest.mark.parametrize(
        ("tool", "name"),
        [
            ("read", "read"),
            ("readFile", "read_file"),
            ("read-file", "read_file"),
            ("Read File!", "read_file"),
            ("fs/read.text", "fs_read_text"),
            ("2fa", "t_2fa"),
            ("HTTPGet", "httpget"),
        ],
    )
    def test_are_in_the_letters_that_tools_have(self, tool: str, name: str) -> None:
        assert wire_name("files", tool) == f"mcp.files.{name}"

    @pytest.mark.parametrize("tool", ["", "___", "日本", "\u202e"])
    def test_need_a_letter(self, tool: str) -> None:
        with pytest.raises(InvalidInput, match="needs a letter"):
            wire_name("files", tool)


class TestSeeing:
    def test_finds_approves_loses_and_finds_again(self) -> None:
        read, write = seen([], "files", [READ, WRITE], at=AT)
        assert (read.state, spec_of(read, SERVER)) == ("found", None)
        read = approved(read, Approval(pin=READ.pin, effect_class=EffectClass.READ), by="a", at=AT)
        [gone] = seen([read, write], "files", [], at=LATER)
        assert (gone.state, gone.quarantined_at, spec_of(gone, SERVER)) == ("gone", LATER, None)
        assert seen([gone], "files", [], at="later")[0].quarantined_at == LATER
        [back] = seen([gone], "files", [READ], at=LATER)
        assert back.state == "approved"
        [other] = seen([gone], "files", [READ.model_copy(update={"title": "Reader"})], at=LATER)
        assert (other.state, other.reason) == ("quarantined", "its title changed after it was approved")

    def test_of_a_gone_tool_takes_no_approval(self) -> None:
        [read] = seen([], "files", [READ], at=AT)
        gone = read.model_copy(update={"state": "gone"})
        with pytest.raises(InvalidInput, match="not listed"):
            approved(gone, Approval(pin=READ.pin, effect_class=EffectClass.READ), by="a", at=AT)

    def test_bounds_a_list(self) -> None:
        listed = [READ.model_copy(update={"name": f"t{number}"}) for number in range(TOOLS_MAX + 1)]
        with pytest.raises(InvalidInput, match="at most"):
            seen([], "files", listed, at=AT)

    def test_keeps_the_first_reason_of_a_quarantine(self) -> None:
        [read] = seen([], "files", [READ], at=AT)
        held = quarantined(read, "first", at=AT)
        assert quarantined(held, "second", at=LATER) == held


class TestApproving:
    @pytest.mark.parametrize(
        ("effect", "retry"),
        [
            (EffectClass.NONE, RetryClass.IDEMPOTENT),
            (EffectClass.READ, RetryClass.IDEMPOTENT),
            (EffectClass.WRITE, RetryClass.AT_MOST_ONCE),
            (EffectClass.MONEY, RetryClass.AT_MOST_ONCE),
        ],
    )
    def test_takes_the_safe_retry_class(self, effect: EffectClass, retry: RetryClass) -> None:
        [read] = seen([], "files", [READ], at=AT)
        made = approved(read, Approval(pin=READ.pin, effect_class=effect), by="a", at=AT)
        assert made.approved is not None
        assert (made.approved.retry_class, made.approved.version) == (retry, 1)
        spec = spec_of(made, SERVER)
        assert spec is not None
        assert (spec.kind, spec.trust, spec.egress, spec.secrets, spec.sandbox) == ("mcp", "untrusted", ("mcp.example",), ("KEY",), None)

    def test_says_what_drifted(self) -> None:
        [read] = seen([], "files", [READ], at=AT)
        made = approved(read, Approval(pin=READ.pin, effect_class=EffectClass.READ), by="a", at=AT).approved
        assert made is not None
        assert drift(made, [READ, WRITE]) is None
        assert drift(made, [WRITE]) == "the server does not list it any more"
        assert drift(made, [READ.model_copy(update={"annotations": {"x": 1}})]) == "its annotations changed after it was approved"


class TestDrafts:
    def test_of_stdio_servers_name_their_secrets_and_no_host(self) -> None:
        draft = McpServerDraft(name="files", transport="stdio", command=("python3",), environment={"B": "S2", "A": "S1"})
        assert (draft.secrets, draft.host) == (("S1", "S2"), "")

    def test_of_oauth_servers_name_the_secret_of_their_client(self) -> None:
        oauth = {"client_id": "c", "client_secret": "CLIENT"}
        draft = McpServerDraft.model_validate({"name": "f", "transport": "http", "url": "https://a.example", "oauth": oauth})
        assert draft.secrets == ("CLIENT",)

    def test_take_small_files_only(self) -> None:
        with pytest.raises(ValidationError, match="at most"):
            McpServerDraft(name="f", transport="stdio", command=("sh",), files={"a": "x" * (FILES_BYTES_MAX + 1)})


class TestServed:
    def test_offers_nothing_that_decides(self) -> None:
        assert [tool.name for tool in SERVED] == ["start_run", "run_status", "run_result", "list_approvals"]
        assert [tool.name for tool in SERVED if not tool.reads] == ["start_run"]

    def test_lists_open_approvals(self) -> None:
        assert asked("list_approvals", {}).path == "/v1/approvals?state=open&limit=50"
        assert asked("list_approvals", {"limit": 5}).path == "/v1/approvals?state=open&limit=5"
