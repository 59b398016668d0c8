"""Arguments that are too large to be shown whole: what a reviewer sees first."""

from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from domain.approval import BoundCall
from domain.canonical import canonical_bytes
from domain.large_arguments import SHOWN_BYTES_MAX, LargeArguments, arguments_sha256, cut_arguments

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=400),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=80), inner, max_size=8),
    max_leaves=30,
)


class TestCutArguments:
    def test_keep_what_is_short_and_say_how_much_of_the_rest_is_gone(self) -> None:
        shown = cut_arguments({"to": "DE01", "amount": 5, "text": "x" * 5000, "lines": list(range(9))})
        assert shown == {
            "to": "DE01",
            "amount": 5,
            "text": f"{'x' * 300}… [cut: 4700 more characters]",
            "lines": [0, 1, 2, 3, 4, "… [cut: 4 more]"],
        }

    def test_name_every_argument_while_their_names_fit(self) -> None:
        parts: dict[str, JsonValue] = {f"part_{n}": ["y" * 200 for _ in range(5)] for n in range(12)}
        shown = cut_arguments({"to": "DE01", **parts})
        assert shown["to"] == "DE01"
        assert shown["part_11"] == "… [cut: 1016 bytes]"

    def test_say_only_how_many_there_are_when_not_even_names_fit(self) -> None:
        shown = cut_arguments({f"argument_{n}": n for n in range(500)})
        assert list(shown) == ["…"]
        assert "500 arguments" in str(shown["…"])

    @given(arguments=st.dictionaries(st.text(max_size=80), JSON, max_size=12))
    def test_never_take_more_room_than_there_is(self, arguments: dict[str, JsonValue]) -> None:
        assert len(canonical_bytes(cut_arguments(arguments))) <= SHOWN_BYTES_MAX


class TestBoundCall:
    def test_without_large_arguments_has_the_bytes_it_always_had(self) -> None:
        call = BoundCall(step="pay", tool="bank.pay", version="1.0.0", arguments={"amount": 5})
        assert call.model_dump(mode="json") == {"step": "pay", "tool": "bank.pay", "version": "1.0.0", "arguments": {"amount": 5}}

    def test_with_them_is_bound_by_their_digest(self) -> None:
        calls = [
            BoundCall(
                step="pay",
                tool="bank.pay",
                version="1.0.0",
                arguments={},
                large=LargeArguments(ref="r", index=0, sha256=arguments_sha256({"amount": amount}), bytes=9),
            )
            for amount in (5, 6)
        ]
        assert calls[0].model_dump(mode="json") != calls[1].model_dump(mode="json")
