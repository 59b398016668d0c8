"""Asks the models of a chain in order: past those that cannot, are too dear, busy or decline, to the one that answers (docs/models.md)."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from domain.breakers import Breakers
from domain.errors import BudgetExceeded, ModelFailed, ModelUnavailable
from domain.fallbacks import CostOf, ModelChain, askable
from domain.provider import CompletionReply, CompletionRequest, FallbackReason, FallbackTaken, StopReason

SHARE = 0.6
"""Part of the time left that a model may take while another could still take over from it: one that hangs leaves time for that."""

NEVER_AWAY = frozenset({"scripted"})
"""Providers without a breaker: a script fails where it says so, and nowhere else."""

Call = Callable[[CompletionRequest, float, int], Awaitable[CompletionReply]]
"""Asks one model: the request, how many seconds it has, and its place in the chain."""
SettledCost = Callable[[CompletionReply], int]
"""What a reply cost, in micro-USD."""


@dataclass(frozen=True, kw_only=True)
class ChainWalk:
    """What one walk needs: who asks, what things cost, how long it may take, who is unable (and why), and the tenant's breakers, if any."""

    tenant: str
    call: Call
    worst_of: CostOf
    cost_of: SettledCost
    timeout_s: float
    unable: Mapping[str, str] = field(default_factory=dict[str, str])
    breakers: Breakers | None = None

    async def ask(self, asked: CompletionRequest, chain: ModelChain) -> CompletionReply:
        """Return the reply of the model that answered, with those that did not; a refusal is a reply if nobody takes over.

        Raises:
            BudgetExceeded: every model that might be asked may cost more than the step allows for a call.
            ModelUnavailable: those that were asked are busy or away; `retry_after_s` is the shortest wait that one of them named.
            ModelFailed: no model can take the request, or one of them refused it for good.
        """
        deadline = asyncio.get_running_loop().time() + self.timeout_s
        place, taken = self._first(chain)
        waits: list[float] = []
        while True:
            model = chain.models[place]
            left = max(deadline - asyncio.get_running_loop().time(), 0.001)
            try:
                reply = await self._one(asked.model_copy(update={"model": model}), left, place, chain)
            except ModelUnavailable as error:
                waits += [] if error.retry_after_s is None else [error.retry_after_s]
                later, passed = self._next(chain, place, "overload")
                if later is None:
                    raise ModelUnavailable(_told(error.detail, passed), retry_after_s=min(waits, default=None)) from None
                taken.append(FallbackTaken(model=model, reason="overload", detail=error.detail))
            else:
                later, passed = self._next(chain, place, "refusal") if reply.stop is StopReason.REFUSED else (None, [])
                if later is None:
                    fallbacks = [*taken, *passed]
                    return reply.model_copy(update={"model": chain.model, "answered_by": model, "fallbacks": fallbacks})
                taken.append(self._refused(model, reply))
            taken += passed
            place = later

    async def _one(self, asked: CompletionRequest, left_s: float, place: int, chain: ModelChain) -> CompletionReply:
        last = askable(chain, self.worst_of, chain.after(place, "overload"), reason="overload", unable=self.unable)[0] is None
        timeout_s = left_s if last else left_s * SHARE
        async with self._guarded(asked.model):
            return await self.call(asked, timeout_s, place)

    @asynccontextmanager
    async def _guarded(self, model: str) -> AsyncGenerator[None]:
        provider = model.partition("/")[0]
        if self.breakers is None or provider in NEVER_AWAY:
            yield
            return
        async with self.breakers.around(self.tenant, provider):
            yield

    def _first(self, chain: ModelChain) -> tuple[int, list[FallbackTaken]]:
        """The place of the first model that can and may be asked, and those passed over.

        Raises:
            BudgetExceeded: there is none, and some are too dear.
            ModelFailed: no model can take the request.
        """
        place, passed = askable(chain, self.worst_of, unable=self.unable)
        _check_price(place, passed)
        if place is None:
            raise ModelFailed("; ".join(dict.fromkeys(one.detail for one in passed)))
        return place, passed

    def _next(self, chain: ModelChain, place: int, reason: FallbackReason) -> tuple[int | None, list[FallbackTaken]]:
        """The place of the model that takes over from the one at `place`, if any can, and those passed over.

        Raises:
            BudgetExceeded: those that would are too dear.
        """
        later, passed = askable(chain, self.worst_of, chain.after(place, reason), reason=reason, unable=self.unable)
        _check_price(later, passed)
        return later, passed

    def _refused(self, model: str, reply: CompletionReply) -> FallbackTaken:
        return FallbackTaken(
            model=model,
            reason="refusal",
            detail="it declined to answer",
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            cost_usd_micros=self.cost_of(reply.model_copy(update={"answered_by": model})),
        )


def _check_price(place: int | None, passed: list[FallbackTaken]) -> None:
    """Refuse a call where nobody is left, and somebody would be if they were not too dear.

    Raises:
        BudgetExceeded: that is so.
    """
    dear = [one for one in passed if one.reason == "price"]
    if place is None and dear:
        raise BudgetExceeded(f"{dear[-1].model} is too dear for this step: {dear[-1].detail}; raise max_call_usd or name a cheaper one")


def _told(detail: str, passed: list[FallbackTaken]) -> str:
    """A busy model's failure, and why nobody took over."""
    return "; ".join([detail, *(f"passed over: {one.detail}" for one in passed)])
