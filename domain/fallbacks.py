"""Chains of models: who is asked when the first one is busy, too dear, or declines, and what a call may cost at most. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
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
ALL_ABLE: Final[Mapping[str, str]] = MappingProxyType({})
"""No model is unable to take the request."""


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

    def after(self, place: int, reason: FallbackReason | None) -> int | None:
        """Return the place of the model that takes over from the one at `place`, or None; without a reason it is the next one."""
        return next(iter(self.later(place, reason)), None)

    def later(self, place: int, reason: FallbackReason | None) -> list[int]:
        """Return the places behind `place` whose models take over for the reason, in order; without one, all of them."""
        behind = range(place, len(self.fallbacks))
        return [index + 1 for index in behind if reason is None or reason in self.fallbacks[index].on]


CostOf = Callable[[str], int | None]
"""What a call of a model costs at worst, in micro-USD; None without a price."""


def askable(
    chain: ModelChain,
    cost_of: CostOf,
    start: int | None = 0,
    *,
    reason: FallbackReason | None = None,
    unable: Mapping[str, str] = ALL_ABLE,
) -> tuple[int | None, list[FallbackTaken]]:
    """Return the first place from `start` on whose model can take the request and is cheap enough, and the models passed over.

    `unable` says by model why it cannot; such a model is as if it were not in the chain: the next one that takes over for the same `reason`
    does, and in place of the first model of all, the next one whatever it takes over for. A model without a price is never too dear: a
    budget in tokens bounds it. The place is None where there is none.
    """
    passed: list[FallbackTaken] = []
    place = start
    while place is not None:
        model = chain.models[place]
        if model in unable:
            passed.append(FallbackTaken(model=model, reason="unable", detail=unable[model]))
        elif not _too_dear(chain, cost := cost_of(model)):
            return place, passed
        else:
            detail = f"a call may cost {cost} micro-USD, and {chain.max_call_usd_micros} are allowed"
            passed.append(FallbackTaken(model=model, reason="price", detail=detail))
            reason = "price"
        place = chain.after(place, reason)
    return None, passed


def worst_usd_micros(chain: ModelChain, cost_of: CostOf) -> int | None:
    """Return what a call of the chain costs at worst; None when a model that may be asked has no price.

    A busy model costs nothing and one that declines costs what it read and wrote, so the worst way is the dearest of: it answers, it
    declines and another one takes over, it is busy and another one takes over. Any model may turn out to be unable to take the request, so
    that whoever might come behind it counts too.
    """
    from_here: dict[int, int | None] = {}  # what it costs at worst when the model at a place has its turn

    def then(place: int, reason: FallbackReason) -> int | None:
        return _dearest(from_here[later] for later in chain.later(place, reason))

    for place in reversed(range(len(chain.models))):
        own, declined, busy = cost_of(chain.models[place]), then(place, "refusal"), then(place, "overload")
        if _too_dear(chain, own):
            from_here[place] = then(place, "price")
        else:
            from_here[place] = None if own is None or declined is None or busy is None else max(own + declined, busy)
    return _dearest(from_here.values())


def _too_dear(chain: ModelChain, cost: int | None) -> bool:
    return chain.max_call_usd_micros is not None and cost is not None and cost > chain.max_call_usd_micros


def _dearest(costs: Iterable[int | None]) -> int | None:
    """The most of them, nothing of none, and None when one is not known."""
    most = 0
    for cost in costs:
        if cost is None:
            return None
        most = max(most, cost)
    return most


def told(taken: Sequence[FallbackTaken]) -> list[dict[str, str | int]]:
    """Return what a ledger entry says of the models that did not answer; no text of theirs."""
    return [{"model": one.model, "reason": one.reason, "cost_usd_micros": str(one.cost_usd_micros)} for one in taken]
