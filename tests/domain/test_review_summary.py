"""What a reviewer sees: every value, where it stands, and no character that hides or turns others around."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from domain.review_summary import UNBOUND, ShownCall, dollars, moment, summary_of
from domain.runs import ApprovalProjection
from domain.visible_text import hides, visible, visible_parts


def approval(arguments: dict[str, JsonValue], *, unbound: tuple[str, ...] = ()) -> ApprovalProjection:
    return ApprovalProjection(
        approval="apr_1",
        step="gate",
        visit=1,
        title="Pay 250?",
        digest="ab" * 32,
        nonce="n",
        calls=[{"step": "settle.pay", "tool": "bank.pay", "version": "1.0.0", "arguments": arguments}],
        unbound=list(unbound),
        reviewer_role="claims-approver",
        exclude_requester=True,
        requester="prn_1",
        opened_at="2026-01-05T09:00:00Z",
        deadline=None,
    )


def call(arguments: dict[str, JsonValue], *, unbound: tuple[str, ...] = ()) -> ShownCall:
    (shown,) = summary_of(approval(arguments, unbound=unbound), run="run_1", definition="delay-claim").calls
    return shown


def rows(arguments: dict[str, JsonValue]) -> list[tuple[str, str]]:
    return [(one.place, one.text) for one in call(arguments).arguments]


def leaves(value: JsonValue) -> list[JsonValue]:
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [leaf for part in inner for leaf in leaves(part)] if inner else [value]


class TestCall:
    def test_names_step_tool_and_version(self) -> None:
        shown = call({"amount": 250})
        assert (shown.step, shown.tool, shown.version) == ("settle.pay", "bank.pay", "1.0.0")

    def test_shows_values_one_by_one_and_where_they_stand(self) -> None:
        found = rows({"amount": 250, "claim": {"passenger": "Ada", "legs": [{"from": "JFK"}, "LHR"]}, "tags": [], "memo": None})
        assert found == [
            ("amount", "250"),
            ("claim.passenger", '"Ada"'),
            ("claim.legs[0].from", '"JFK"'),
            ("claim.legs[1]", '"LHR"'),
            ("tags", "[]"),
            ("memo", "null"),
        ]

    def test_tells_a_number_from_a_text_of_digits(self) -> None:
        assert rows({"a": 250, "b": "250"}) == [("a", "250"), ("b", '"250"')]

    def test_quotes_a_name_that_could_be_read_as_another_place(self) -> None:
        assert [place for place, _ in rows({"a.b": 1, "a": {"b": 2}, "": 3})] == ['["a.b"]', "a.b", '[""]']

    def test_marks_what_only_a_later_step_gives(self) -> None:
        shown = call({"amount": 250}, unbound=("settle.pay.reservation", "settle.notify.text"))
        assert [(one.place, one.text, one.bound) for one in shown.arguments] == [("amount", "250", True), ("reservation", UNBOUND, False)]

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
            max_leaves=12,
        )
    )
    def test_leaves_no_value_out_and_names_no_place_twice(self, value: JsonValue) -> None:
        shown = rows({"x": value})
        assert [text for _, text in shown] == [json.dumps(leaf, ensure_ascii=False) for leaf in leaves(value)]
        assert len({place for place, _ in shown}) == len(shown)


class TestVisible:
    @pytest.mark.parametrize(
        ("character", "name"),
        [
            ("\u202e", "[U+202E RIGHT-TO-LEFT OVERRIDE]"),
            ("\u2066", "[U+2066 LEFT-TO-RIGHT ISOLATE]"),
            ("\u200b", "[U+200B ZERO WIDTH SPACE]"),
            ("\u00a0", "[U+00A0 NO-BREAK SPACE]"),
            ("\u3164", "[U+3164 HANGUL FILLER]"),
            ("\ufe0f", "[U+FE0F VARIATION SELECTOR-16]"),
            ("\U000e0041", "[U+E0041 TAG LATIN CAPITAL LETTER A]"),
            ("\x1b", "[U+001B]"),
            ("\n", "[U+000A]"),
            ("\ud800", "[U+D800]"),
        ],
    )
    def test_names_what_a_screen_would_hide(self, character: str, name: str) -> None:
        assert visible(f"Pay 10{character} to Ada") == f"Pay 10{name} to Ada"

    @pytest.mark.parametrize("text", ["Pay 250 to Zoë Müller-Łukasz?", "支払い", "שלום", "€ 1,000.00 – now", ""])
    def test_leaves_plain_text_as_it_is(self, text: str) -> None:
        assert visible(text) == text

    @given(st.text())
    def test_leaves_nothing_hidden(self, text: str) -> None:
        assert not any(hides(character) for character in visible(text))
        assert sum(part.hidden for part in visible_parts(text)) == sum(map(hides, text))


class TestFigures:
    @pytest.mark.parametrize(("micros", "text"), [(0, "$0.00"), (250_000, "$0.25"), (1_234, "$0.001234"), (1_234_500_000, "$1,234.50")])
    def test_money_is_dollars_down_to_what_was_spent(self, micros: int, text: str) -> None:
        assert dollars(micros) == text

    def test_a_time_is_a_day_and_a_minute_in_utc(self) -> None:
        assert moment("2026-01-05T09:00:00.000000Z") == "Monday, 05 January 2026, 09:00 UTC"
        assert moment(None) == ""
