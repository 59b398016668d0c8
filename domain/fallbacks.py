"""Chains of models: who is asked when the first one is busy, too dear, or declines, and what a call may cost at most. Pure."""

from collections.abc import Callable, Sequence
from typing import Final

from pydantic import Field

from domain.model import Wire
from domain.provider import FallbackReason, FallbackTaken

FALLBACKS_MAX: Final = 8
"""Longest chain behind a model; each of its models is one more price that a budget must hold."""
REASONS: Final[tuple[FallbackReason, ...]] = ("overload", "price", "refusal")
"""When a model may take over."""
USUAL: Final[tuple[FallbackReason, ...]] = ("overload", "refusal")
"""When it does unless its definition says otherwise."""


class Fallback(Wire):
    """A model that takes over from the ones before it, and when."""

    model: str
    on: tuple[FallbackReason, ...] = Field(default=USUAL, min_length=1)


class ModelChain(Wire):
    """The models of one call. `max_call_usd_micros` is the most that one call may cost at worst; a dearer model is passed over."""

    model: str
    fallbacks: tuple[Fallback, ...] = ()
    max_call_usd_micros: int | None = None

    @property
    def models(self) -> list[str]:
        """Every model, in order."""
        return [self.model, *(one.model for one in self.fallbacks)]

    @property
    def asked_max(self) -> int:
        """How many of them one call may make read and write: the first, and each that takes over from one that declined."""
        return 1 + sum("refusal" in one.on for one in self.fallbacks)

    def after(self, place: int, reason: FallbackReason) -> int | None:
        """Return the place of the model that takes over from the one at `place`, or None."""
        later = range(place, len(self.fallbacks))
        return next((index + 1 for index in later if reason in self.fallbacks[index].on), None)


CostOf = Callable[[str], int | None]
"""What a call of a model costs at worst, in micro-USD; None without a price."""


def affordable(chain: ModelChain, cost_of: CostOf, start: int | None = 0) -> tuple[int | None, list[FallbackTaken]]:
    """Return the first place from `start` on whose model is cheap enough, and the models passed over; None: there is none.

    A model without a price is never too dear: a budget in tokens bounds it.
    """
    passed: list[FallbackTaken] = []
    place = start
    while place is not None:
        model = chain.models[place]
        cost = cost_of(model)
        if chain.max_call_usd_micros is None or cost is None or cost <= chain.max_call_usd_micros:
            return place, passed
        detail = f"a call may cost {cost} micro-USD, and {chain.max_call_usd_micros} are allowed"
        passed.append(FallbackTaken(model=model, reason="price", detail=detail))
        place = chain.after(place, "price")
    return None, passed


def worst_usd_micros(chain: ModelChain, cost_of: CostOf) -> int | None:
    """Return what a call of the chain costs at worst; None when a model that may be asked has no price.

    A busy model costs nothing and one that declines costs what it read and wrote, so the worst way is the dearest of: it answers, it
    declines and the next one takes over, it is busy and the next one takes over.
    """
    start, _ = affordable(chain, cost_of)
    return 0 if start is None else _worst(chain, cost_of, start)


def _worst(chain: ModelChain, cost_of: CostOf, place: int) -> int | None:
    own = cost_of(chain.models[place])
    declined, _ = affordable(chain, cost_of, chain.after(place, "refusal"))
    busy, _ = affordable(chain, cost_of, chain.after(place, "overload"))
    after_refusal = 0 if declined is None else _worst(chain, cost_of, declined)
    after_overload = 0 if busy is None else _worst(chain, cost_of, busy)
    if own is None or after_refusal is None or after_overload is None:
        return None
    return max(own + after_refusal, after_overload)


def told(taken: Sequence[FallbackTaken]) -> list[dict[str, str | int]]:
    """Return what a ledger entry says of the models that did not answer; no text of theirs."""
    return [{"model": one.model, "reason": one.reason, "cost_usd_micros": str(one.cost_usd_micros)} for one in taken]
