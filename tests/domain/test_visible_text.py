"""Text as a reviewer sees it: nothing hides, nothing turns around."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from domain.visible_text import hidden_places, hides, visible_lines
from tests.domain.play import Play
from tests.domain.programs import approve, program


class TestVisibleLines:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("Pay 80 € to Ada Lovelace – now?", "Pay 80 € to Ada Lovelace – now?"),
            ("pay\u202etxt.exe", "pay[U+202E RIGHT-TO-LEFT OVERRIDE]txt.exe"),
            ("Ad\u200ba", "Ad[U+200B ZERO WIDTH SPACE]a"),
            ("a\x00\x1b[2Jb\r\n", "a[U+0000][U+001B][2Jb[U+000D]\n"),
            ("שלום 42 مرحبا 漢字 🙂", "שלום 42 مرحبا 漢字 🙂"),
        ],
    )
    def test_writes_out_what_hides(self, text: str, shown: str) -> None:
        assert visible_lines(text) == shown

    @given(st.text())
    def test_leaves_nothing_hidden_and_everything_else_alone(self, text: str) -> None:
        shown = visible_lines(text)
        assert all(letter == "\n" or not hides(letter) for letter in shown)
        assert visible_lines(shown) == shown
        assert hidden_places(shown) == []
        assert (shown == text) == (hidden_places(text) == [])


class TestHiddenPlaces:
    def test_names_each_place_keys_too(self) -> None:
        value: JsonValue = {"to": "Ada\u202e", "lines": ["ok", {"n\u200be": 1}], "n": 3, "none": None}
        assert hidden_places(value, "pay") == ["pay.to: U+202E", "pay.lines[1] (a name): U+200B"]


def test_a_title_from_a_model_is_shown_so() -> None:
    asked = Play(program(approve("gate", title="Pay ${ input.who }?")), given={"who": "a\u202eb"}).asking("gate")
    assert asked.approval.title == "Pay a[U+202E RIGHT-TO-LEFT OVERRIDE]b?"
