"""Canonical JSON: the quick way and rfc8785 give the same bytes, and what has no form is refused."""

from typing import cast

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from domain.canonical import canonical_bytes
from domain.errors import InvalidInput

SAFE = 2**53 - 1
LEAVES = st.none() | st.booleans() | st.integers(-SAFE, SAFE) | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


class TestCanonicalBytes:
    @given(value=VALUES)
    def test_are_those_of_rfc_8785(self, value: JsonValue) -> None:
        try:
            expected = rfc8785.dumps(cast("dict[str, str]", value))
        except rfc8785.CanonicalizationError:
            return
        assert canonical_bytes(value) == expected

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ({"b": 1, "a": [True, None]}, b'{"a":[true,null],"b":1}'),
            ({"x": 1.0, "y": 1e21, "z": -0.0}, b'{"x":1,"y":1e+21,"z":0}'),
            ([1.5, 1e-7], b"[1.5,1e-7]"),
            ({"\x1f\x7f\n": '"\\'}, b'{"\\u001f\x7f\\n":"\\"\\\\"}'),
            ({"\U0001f600": 1, "\ufb33": 2}, '{"\U0001f600":1,"\ufb33":2}'.encode()),
            (SAFE, b"9007199254740991"),
        ],
    )
    def test_of_values_where_plain_json_differs(self, value: JsonValue, expected: bytes) -> None:
        assert canonical_bytes(value) == expected

    @pytest.mark.parametrize("value", [SAFE + 1, -SAFE - 1, [2**70], float("nan"), {"a": float("inf")}, {1: "a"}, {"a": {None: 1}}])
    def test_refuse_what_has_no_form(self, value: object) -> None:
        with pytest.raises(InvalidInput):
            canonical_bytes(cast("JsonValue", value))
