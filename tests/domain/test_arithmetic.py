"""Sums: exact, bounded, and never code."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.arithmetic import calculate, shown
from domain.errors import InvalidInput


class TestCalculate:
    @pytest.mark.parametrize(
        ("expression", "value"),
        [
            ("1 + 2 * 3", "7"),
            ("0.1 + 0.2", "0.3"),
            ("(250.00 - 40) * 1.19", "249.9"),
            ("-2 ^ 2", "-4"),
            ("2 ** 3 ** 2", "512"),
            ("2 ^ -1", "0.5"),
            ("7 // 2", "3"),
            ("-7 // 2", "-4"),
            ("-7 % 3", "2"),
            ("10 / 4", "2.5"),
            ("1_000.5e3", "1000500"),
            ("round(2.5)", "3"),
            ("round(2.345, 2)", "2.35"),
            ("round(1234, -2)", "1200"),
            ("max(1, 2, min(9, 3))", "3"),
            ("avg(1, 2)", "1.5"),
            ("sqrt(2) * sqrt(2) - 2 < 1"[:17], "2"),
            ("floor(-1.5) + ceil(1.2) + abs(-3)", "3"),
            ("+-+5", "-5"),
            ("1e-7", "0.0000001"),
        ],
    )
    def test_gives_the_exact_value(self, expression: str, value: str) -> None:
        assert abs(calculate(expression) - calculate(value)) < calculate("1e-40")
        assert shown(calculate(value)) == value

    @pytest.mark.parametrize(
        ("expression", "why"),
        [
            ("", "too early"),
            ("1 +", "too early"),
            ("1 2", "operator is missing"),
            ("(1", "closing parenthesis"),
            ("1)", "operator is missing"),
            ("x", "names are abs"),
            ("max", "in parentheses"),
            ("round(1, 2, 3)", "1 to 2"),
            ("1 / 0", "division by zero"),
            ("sqrt(-1)", "no value"),
            ("9 ^ 9999", "up to 1000"),
            ("*".join(["10^1000"] * 6), "too large"),
            ("(" * 60 + "1" + ")" * 60, "deeper"),
            ("-" * 60 + "1", "deeper"),
            ("1" * 2001, "longer"),
            ("__import__('os')", "unknown at character 1"),
            ("round(1, 99)", "50 places"),
        ],
    )
    def test_refuses_what_has_no_value_here(self, expression: str, why: str) -> None:
        with pytest.raises(InvalidInput, match=why):
            calculate(expression)

    @given(st.text(alphabet=string.digits + "+-*/^%(),. " + "abcdefghilmnopqrstux", max_size=40))
    def test_never_breaks(self, expression: str) -> None:
        try:
            calculate(expression)
        except InvalidInput:
            return

    @given(st.integers(-(10**15), 10**15), st.integers(-(10**15), 10**15))
    def test_agrees_with_whole_numbers(self, a: int, b: int) -> None:
        assert shown(calculate(f"({a}) + ({b}) * 3")) == str(a + b * 3)
        if b:
            assert shown(calculate(f"({a}) // ({b})")) == str(a // b)
            assert shown(calculate(f"({a}) % ({b})")) == str(a % b)
