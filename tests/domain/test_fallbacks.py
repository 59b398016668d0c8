"""Chains of models: who takes over, and what a call may cost at most."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.fallbacks import REASONS, CostOf, Fallback, ModelChain, askable, worst_usd_micros
from domain.provider import FallbackReason

DEAR, MIDDLE, CHEAP = "a/dear", "b/middle", "c/cheap"
PRICES = {DEAR: 100, MIDDLE: 40, CHEAP: 10}


def costs(prices: Mapping[str, int | None] = PRICES) -> CostOf:
    """Return what each model costs."""
    return prices.get


def chain(*fallbacks: Fallback, most: int | None = None) -> ModelChain:
    """Return a chain that begins with the dear model."""
    return ModelChain(model=DEAR, fallbacks=fallbacks, max_call_usd_micros=most)


class TestAfter:
    def test_is_the_next_model_that_takes_over_for_the_reason(self) -> None:
        one = chain(Fallback(model=MIDDLE, on=("price",)), Fallback(model=CHEAP, on=("overload", "refusal")))
        assert (one.after(0, "overload"), one.after(0, "price"), one.after(1, "price"), one.after(2, "refusal")) == (2, 1, None, None)


class TestAskable:
    def test_passes_models_over_that_are_too_dear(self) -> None:
        one = chain(Fallback(model=MIDDLE, on=("price",)), Fallback(model=CHEAP, on=("price",)), most=20)
        place, passed = askable(one, costs())
        assert (place, [(taken.model, taken.reason) for taken in passed]) == (2, [(DEAR, "price"), (MIDDLE, "price")])

    def test_finds_nobody_when_no_cheap_one_takes_over_on_price(self) -> None:
        place, passed = askable(chain(Fallback(model=CHEAP, on=("overload",)), most=20), costs())
        assert (place, len(passed)) == (None, 1)

    def test_passes_models_over_that_cannot_take_the_request(self) -> None:
        one = chain(Fallback(model=MIDDLE, on=("overload",)), Fallback(model=CHEAP, on=("refusal",)))
        place, passed = askable(one, costs(), unable={DEAR: "reads no images"})
        assert (place, [(taken.model, taken.reason, taken.detail) for taken in passed]) == (1, [(DEAR, "unable", "reads no images")])

    def test_goes_on_for_the_reason_at_which_a_model_was_unable(self) -> None:
        one = chain(Fallback(model=MIDDLE, on=("overload",)), Fallback(model=CHEAP, on=("refusal",)))
        place, passed = askable(one, costs(), one.after(0, "overload"), reason="overload", unable={MIDDLE: "reads no images"})
        assert (place, [taken.model for taken in passed]) == (None, [MIDDLE])

    def test_takes_a_model_without_a_price(self) -> None:
        assert askable(chain(most=20), costs({DEAR: None}))[0] == 0


class TestWorstCost:
    @pytest.mark.parametrize(
        ("on", "expected"),
        [(("overload",), 100), (("refusal",), 140), (("overload", "refusal"), 140), (("price",), 100)],
    )
    def test_is_the_dearest_way_through_the_chain(self, on: tuple[str, ...], expected: int) -> None:
        one = chain(Fallback.model_validate({"model": MIDDLE, "on": on}))
        assert worst_usd_micros(one, costs()) == expected

    def test_is_that_of_a_dearer_fallback(self) -> None:
        one = ModelChain(model=CHEAP, fallbacks=(Fallback(model=DEAR, on=("overload",)),))
        assert worst_usd_micros(one, costs()) == 100

    def test_is_that_of_whoever_may_come_in_place_of_one_that_is_unable(self) -> None:
        one = ModelChain(model=CHEAP, fallbacks=(Fallback(model=DEAR, on=("price",)),))
        assert worst_usd_micros(one, costs()) == 100

    def test_leaves_out_what_is_too_dear_to_be_asked(self) -> None:
        one = chain(Fallback(model=CHEAP, on=("price",)), most=20)
        assert worst_usd_micros(one, costs()) == 10

    def test_is_unknown_when_a_model_that_may_be_asked_has_no_price(self) -> None:
        one = chain(Fallback(model=MIDDLE, on=("overload",)))
        assert worst_usd_micros(one, costs({DEAR: 100})) is None

    @given(
        prices=st.lists(st.integers(0, 50), min_size=5, max_size=5),
        reasons=st.lists(st.sets(st.sampled_from(REASONS), min_size=1), min_size=4, max_size=4),
        most=st.none() | st.integers(0, 50),
        ends=st.lists(st.sampled_from(["busy", "declines", "answers", "unable"]), min_size=5, max_size=5),
    )
    def test_is_never_passed_by_a_walk(self, prices: list[int], reasons: list[set[str]], most: int | None, ends: list[str]) -> None:
        names = [f"v/{place}" for place in range(5)]
        unable = {name: "too short" for name, end in zip(names, ends, strict=True) if end == "unable"}
        one = ModelChain(
            model=names[0],
            fallbacks=tuple(Fallback.model_validate({"model": n, "on": sorted(on)}) for n, on in zip(names[1:], reasons, strict=True)),
            max_call_usd_micros=most,
        )
        cost_of = dict(zip(names, prices, strict=True)).get
        spent, (place, _) = 0, askable(one, cost_of, unable=unable)
        while place is not None:
            end = ends[place]
            spent += 0 if end == "busy" else prices[place]
            reason: FallbackReason = "overload" if end == "busy" else "refusal"
            later = None if end == "answers" else one.after(place, reason)
            place = askable(one, cost_of, later, reason=reason, unable=unable)[0]
        worst = worst_usd_micros(one, cost_of)
        assert worst is not None
        assert spent <= worst
