"""Arguments that are guarded by their names, where a declaration of a tool says nothing of them."""

import pytest
from pydantic import JsonValue

from activities.function_tools import tool
from domain.effects import EffectClass
from domain.mcp import Approval, Listed, McpServer, McpTool, approved, spec_of
from domain.sensitive_names import plain_name, sensitive_of
from domain.tool_registry import draft_of
from domain.tools import ToolSpec


def schema(*names: str, **inner: JsonValue) -> dict[str, JsonValue]:
    """Return an object's schema with these texts, and with what is given by name."""
    properties: dict[str, JsonValue] = {name: {"type": "string"} for name in names}
    return {"type": "object", "properties": {**properties, **inner}}


class TestNames:
    @pytest.mark.parametrize(
        "name",
        [
            "to",
            "payeeIBAN",
            "amount_micros",
            "AmountCents",
            "recipient-name",
            "query",
            "sql",
            "command",
            "callbackUrl",
            "webhook",
            "reply_to",
        ],
    )
    def test_of_recipients_urls_amounts_commands_and_queries_are_known(self, name: str) -> None:
        assert sensitive_of(None, EffectClass.WRITE, schema(name)) == (name,)

    @pytest.mark.parametrize("name", ["total", "note", "tomorrow", "claim_id", "subject", "urlencoded", "description"])
    def test_that_only_look_alike_are_not(self, name: str) -> None:
        assert sensitive_of(None, EffectClass.WRITE, schema(name)) == ()

    def test_are_found_deeper_and_in_lists(self) -> None:
        item = schema("iban", "memo")
        given = schema("note", order=schema("currency"), transfers={"type": "array", "items": item})
        assert sensitive_of(None, EffectClass.MONEY, given) == ("order.currency", "transfers.iban")

    def test_with_a_dot_are_left_to_the_declaration(self) -> None:
        assert sensitive_of(None, EffectClass.WRITE, schema("mail.to")) == ()

    def test_in_other_letters_become_words(self) -> None:
        assert plain_name("PayeeIBANNumber 2") == "payee_iban_number_2"

    def test_of_a_schema_without_properties_are_none(self) -> None:
        assert sensitive_of(None, EffectClass.WRITE, {"properties": True}) == ()


class TestDeclaration:
    def test_that_lists_its_own_or_none_is_taken_at_its_word(self) -> None:
        assert sensitive_of(("note",), EffectClass.WRITE, schema("to", "note")) == ("note",)
        assert sensitive_of((), EffectClass.MONEY, schema("to")) == ()

    @pytest.mark.parametrize("effect", [EffectClass.NONE, EffectClass.READ])
    def test_of_what_changes_nothing_guards_nothing_by_name(self, effect: EffectClass) -> None:
        assert sensitive_of(None, effect, schema("to")) == ()


HTTP: dict[str, JsonValue] = {"kind": "http", "method": "POST", "url": "https://bank.example/pay"}
CONTAINER: dict[str, JsonValue] = {"kind": "container", "image": f"tools@sha256:{'0' * 64}", "command": ["pay"], "sandbox": "container"}


def declared(kind: dict[str, JsonValue], **more: JsonValue) -> ToolSpec:
    """Return what the platform sees of a declared tool that pays."""
    return draft_of(
        {"name": "bank.pay", "description": "Pays.", "effect_class": "money", "input": schema("to", "note"), **kind, **more}
    ).spec


def of_server(**more: JsonValue) -> ToolSpec | None:
    """Return what the platform sees of an MCP server's tool that a person approved."""
    server = McpServer(name="bank", transport="http", url="https://bank.example/mcp", created_by="prn_a", created_at="2026-01-01T00:00:00Z")
    seen = Listed(name="pay", description="Pays.", input_schema=schema("to", "note"))
    found = McpTool(server="bank", tool="pay", wire_name="mcp.bank.pay", state="found", seen=seen)
    said = Approval.model_validate({"pin": seen.pin, "effect_class": "money", **more})
    return spec_of(approved(found, said, by="prn_a", at="2026-01-01T00:00:00Z"), server)


class TestEveryKind:
    @pytest.mark.parametrize("kind", [HTTP, CONTAINER], ids=["http", "container"])
    def test_that_is_declared(self, kind: dict[str, JsonValue]) -> None:
        assert declared(kind).guarded == ("to",)
        assert declared(kind, sensitive_arguments=[]).guarded == ()

    def test_of_functions(self) -> None:
        def pay(to: str, note: str) -> str:
            """Pays."""
            return to + note

        assert tool(pay).spec.guarded == ("to",)
        assert tool(sensitive_arguments=["note"])(pay).spec.guarded == ("note",)
        assert tool(effect="read")(pay).spec.guarded == ()

    def test_of_mcp_servers(self) -> None:
        by_name, by_word = of_server(), of_server(sensitive_arguments=[])
        assert by_name is not None
        assert by_word is not None
        assert (by_name.guarded, by_word.guarded) == (("to",), ())
