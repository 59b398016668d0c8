"""Asks the models of a chain in order: past those that are too dear, busy or decline, to the one that answers (docs/models.md)."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from domain.breakers import Breakers
from domain.errors import BudgetExceeded, ModelUnavailable
from domain.fallbacks import CostOf, ModelChain, affordable
from domain.provider import CompletionReply, CompletionRequest, FallbackTaken, StopReason

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
    """What one walk needs: who asks, what things cost, how long it may take, and the breakers of the tenant, if any."""

    tenant: str
    call: Call
    worst_of: CostOf
    cost_of: SettledCost
    timeout_s: float
    breakers: Breakers | None = None

    async def ask(self, asked: CompletionRequest, chain: ModelChain) -> CompletionReply:
        """Return the reply of the model that answered, with those that did not; a refusal is a reply if nobody takes over.

        Raises:
            BudgetExceeded: every model that might be asked may cost more than the step allows for a call.
            ModelUnavailable: those that were asked are busy or away; `retry_after_s` is the shortest wait that one of them named.
            ModelFailed: one of them refused the request for good.
        """
        deadline = asyncio.get_running_loop().time() + self.timeout_s
        taken: list[FallbackTaken] = []
        waits: list[float] = []
        place = self._next(chain, 0, taken)
        while True:
            model = chain.models[place]
            left = max(deadline - asyncio.get_running_loop().time(), 0.001)
            try:
                reply = await self._one(asked.model_copy(update={"model": model}), left, place, chain)
            except ModelUnavailable as error:
                waits += [] if error.retry_after_s is None else [error.retry_after_s]
                later = chain.after(place, "overload")
                if later is None:
                    raise ModelUnavailable(error.detail, retry_after_s=min(waits, default=None)) from None
                taken.append(FallbackTaken(model=model, reason="overload", detail=error.detail))
            else:
                later = chain.after(place, "refusal") if reply.stop is StopReason.REFUSED else None
                if later is None:
                    return reply.model_copy(update={"model": chain.model, "answered_by": model, "fallbacks": taken})
                taken.append(self._refused(model, reply))
            place = self._next(chain, later, taken)

    async def _one(self, asked: CompletionRequest, left_s: float, place: int, chain: ModelChain) -> CompletionReply:
        timeout_s = left_s if chain.after(place, "overload") is None else left_s * SHARE
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

    def _next(self, chain: ModelChain, start: int, taken: list[FallbackTaken]) -> int:
        """The place of the next model that is cheap enough.

        Raises:
            BudgetExceeded: there is none.
        """
        place, passed = affordable(chain, self.worst_of, start)
        taken.extend(passed)
        if place is None:
            raise BudgetExceeded(
                f"{passed[-1].model} is too dear for this step: {passed[-1].detail}; raise max_call_usd or name a cheaper one"
            )
        return place

    def _refused(self, model: str, reply: CompletionReply) -> FallbackTaken:
        return FallbackTaken(
            model=model,
            reason="refusal",
            detail="it declined to answer",
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            cost_usd_micros=self.cost_of(reply.model_copy(update={"answered_by": model})),
        )
