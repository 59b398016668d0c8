"""Facts: what the ledger keeps of one is the same whichever way its bytes are made."""

from typing import cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import JsonValue

from domain.canonical import canonical_bytes, digest_hex
from domain.errors import InvalidInput
from domain.facts import Fact, FactBytes
from domain.ledger import Kind

SAFE = 2**53 - 1
TEXT = st.text() | st.text(st.characters(codec="ascii"))
LEAVES = st.none() | st.booleans() | st.integers(-SAFE, SAFE) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
DATA = st.dictionaries(TEXT, st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=8), max_size=4)
NUMBERS = st.integers(-SAFE, SAFE)
FACTS = st.builds(
    Fact,
    seq=NUMBERS,
    kind=TEXT | st.sampled_from(Kind),
    at=TEXT,
    epoch=NUMBERS,
    step=st.none() | TEXT,
    visit=st.none() | NUMBERS,
    call=st.none() | TEXT,
    principal=st.none() | TEXT,
    data=DATA,
)
PLAIN = Fact(seq=3, kind="workflow:step:entered", at="2026-01-01T00:00:00.000000Z", epoch=1, step="s3", visit=1, data={"keyword": "call"})


def separately(fact: Fact, principal: str, correlation_id: str) -> FactBytes:
    """What the ledger keeps, made from the models' fields."""
    body = fact.body(principal=principal, correlation_id=correlation_id)
    said = cast("JsonValue", body.model_dump(mode="json"))
    return FactBytes(body.principal, digest_hex("standfast:fact:v1", fact.model_dump(mode="json")), canonical_bytes(said))


class TestEncoded:
    @given(fact=FACTS, principal=TEXT, correlation_id=TEXT)
    @example(fact=PLAIN, principal="prn_a", correlation_id="corr")
    @example(fact=PLAIN.model_copy(update={"data": {"n": 1.0, "m": 10**15}}), principal="prn_a", correlation_id="corr")
    @example(fact=PLAIN.model_copy(update={"principal": "", "call": '\x1f\x7f"\\'}), principal="prn_a", correlation_id="c\0")
    @example(fact=PLAIN.model_copy(update={"step": "Zoë"}), principal="prn_a", correlation_id="corr")
    @example(fact=PLAIN, principal="prn_a", correlation_id="Zoë")
    def test_is_digest_and_body_as_each_is_made_by_itself(self, fact: Fact, principal: str, correlation_id: str) -> None:
        encoded = fact.encoded(principal=principal, correlation_id=correlation_id)
        assert encoded == separately(fact, principal, correlation_id)
        assert encoded.digest == fact.digest()

    @pytest.mark.parametrize("change", [{"seq": SAFE + 1}, {"epoch": -SAFE - 1}, {"visit": 2**70}, {"data": {"n": float("nan")}}])
    def test_refuses_what_has_no_form(self, change: dict[str, JsonValue]) -> None:
        with pytest.raises(InvalidInput):
            PLAIN.model_copy(update=change).encoded(principal="prn_a", correlation_id="corr")
