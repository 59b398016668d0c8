"""Declarations of HTTP tools: what is refused, and how arguments become a request."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue, ValidationError

from domain.errors import ToolFailed
from domain.http_tool import HttpToolDeclaration, render

INPUT: JsonValue = {
    "type": "object",
    "properties": {"claim": {"type": "string"}, "day": {"type": "string"}, "note": {"type": "string"}},
    "required": ["claim", "day"],
}


def declared(**changes: object) -> HttpToolDeclaration:
    """Return a declaration with some fields changed."""
    fields: dict[str, object] = {
        "name": "bank.pay",
        "description": "Pays.",
        "method": "POST",
        "url": "https://bank.example/claims/{claim}/pay?day={day}",
        "input": INPUT,
        "effect_class": "money",
    }
    return HttpToolDeclaration.model_validate({**fields, **changes})


class TestHttpToolDeclaration:
    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"url": "https://{claim}.example/{day}"}, "fixed host"),
            ({"url": "https://bank.example:{claim}/"}, "fixed host"),
            ({"url": "https://me:pw@bank.example/"}, "secret:NAME"),
            ({"url": "file:///etc/passwd"}, "must begin with https"),
            ({"url": "https://bank.example/#top"}, "fragment"),
            ({"url": "https://bank.example/{unknown}"}, "under `required`"),
            ({"url": "https://bank.example/{note}"}, "under `required`"),
            ({"url": "https://bank.example/{claim"}, "brace"),
            ({"url": "https://bank.example/a b"}, "percent-encode"),
            ({"headers": {"Host": "evil.example"}}, "set by the call itself"),
            ({"headers": {"x": "a\r\nHost: evil"}}, "control characters"),
            ({"headers": {"bad name": "x"}}, "no header name"),
            ({"headers": {"x": "{claim}"}}, "takes no {argument}"),
            ({"body": {"x": "{other}"}}, "does not declare"),
            ({"method": "GET", "body": {"x": 1}}, "sends no body"),
            ({"method": "GET", "body_argument": "note"}, "sends no body"),
            ({"body": {"x": "{note}"}, "body_argument": "note"}, "keep one"),
            ({"query_arguments": {"q": "other"}}, "does not declare"),
            ({"header_arguments": {"Authorization": "note"}}, "no argument may set"),
            ({"header_arguments": {"Idempotency-Key": "note"}}, "no argument may set"),
            ({"header_arguments": {"Content-Length": "note"}}, "no argument may set"),
            ({"header_arguments": {"bad name": "note"}}, "no argument may set"),
        ],
    )
    def test_is_refused_with_the_reason(self, changes: dict[str, object], reason: str) -> None:
        with pytest.raises(ValidationError) as caught:
            declared(**changes)
        assert reason in str(caught.value)

    @pytest.mark.parametrize(
        ("effect", "header"), [("none", None), ("read", None), ("write", "Idempotency-Key"), ("money", "Idempotency-Key")]
    )
    def test_sends_the_outside_key_when_it_changes_the_world(self, effect: str, header: str | None) -> None:
        assert declared(effect_class=effect).key_header == header

    def test_sends_the_outside_key_in_the_header_it_names(self) -> None:
        assert declared(idempotency_header="X-Request-Key").key_header == "X-Request-Key"


class TestRender:
    def test_fills_the_body_with_typed_arguments_and_leaves_out_absent_ones(self) -> None:
        body = {"sum": {"claim": "{claim}"}, "note": "{note}", "currency": "USD", "days": ["{day}"]}
        rendered = render(declared(body=body), {"claim": "c1", "day": "2013-01-05"})
        assert rendered.body == {"sum": {"claim": "c1"}, "currency": "USD", "days": ["2013-01-05"]}

    def test_sends_the_arguments_that_the_url_leaves(self) -> None:
        assert render(declared(), {"claim": "c1", "day": "5", "note": "hi"}).body == {"note": "hi"}

    @pytest.mark.parametrize("value", ["", None, [], {}, ".", ".."])
    def test_refuses_what_cannot_be_a_path_segment(self, value: JsonValue) -> None:
        with pytest.raises(ToolFailed):
            render(declared(), {"claim": value, "day": "5"})

    def test_puts_arguments_into_query_headers_and_body_where_they_are_given(self) -> None:
        tool = declared(query_arguments={"q q": "note"}, header_arguments={"X-Day": "day"})
        given = render(tool, {"claim": "c1", "day": "5", "note": "a&b"})
        assert given.url == "https://bank.example/claims/c1/pay?day=5&q%20q=a%26b"
        assert (given.headers, given.body) == ({"X-Day": "5"}, {})
        assert render(tool, {"claim": "c1", "day": "5"}).url == "https://bank.example/claims/c1/pay?day=5"
        assert render(declared(body_argument="note"), {"claim": "c1", "day": "5", "note": "hi"}).body == "hi"

    def test_refuses_a_missing_argument_and_names_it(self) -> None:
        with pytest.raises(ToolFailed, match="lacks the argument day"):
            render(declared(), {"claim": "c1"})

    @given(claim=st.text(min_size=1), day=st.text(min_size=1))
    def test_never_lets_an_argument_leave_its_place(self, claim: str, day: str) -> None:
        try:
            url = render(declared(), {"claim": claim, "day": day}).url
        except ToolFailed:
            assert claim in (".", "..")
            return
        head, _, query = url.partition("?")
        assert head.startswith("https://bank.example/claims/")
        assert head.endswith("/pay")
        assert head.count("/") == 5
        assert query.startswith("day=")
        assert not set("&=#?/\\@:") & set(query.removeprefix("day="))


class TestPage:
    def test_tells_every_key(self) -> None:
        page = (Path(__file__).parents[2] / "docs" / "tools.md").read_text(encoding="utf-8")
        keys = {field.alias or name for name, field in HttpToolDeclaration.model_fields.items()}
        assert {key for key in keys if f"`{key}`" not in page} == set()
