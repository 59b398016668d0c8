"""Chains at work: who is asked, who answered, what it cost, and how long the next attempt waits."""

import asyncio
from contextlib import AbstractAsyncContextManager

import pytest

from activities.model_chains import ChainWalk
from adapters.models.breakers import PurgatoryBreakers
from domain.breakers import Breakers
from domain.errors import BudgetExceeded, ModelFailed, ModelUnavailable, StandfastError
from domain.fallbacks import Fallback, FallbackReason, ModelChain
from domain.provider import CompletionReply, CompletionRequest, Message, StopReason

ASKED = CompletionRequest(model="a/first", instructions="Decide.", messages=[Message(role="user", text="Hello")])
PRICES = {"a/first": 9, "b/second": 5, "c/third": 1}
Plan = dict[str, CompletionReply | StandfastError]


def said(model: str, stop: StopReason = StopReason.ANSWERED) -> CompletionReply:
    """Return a reply of seven tokens."""
    return CompletionReply(text=f"by {model}", stop=stop, model=model, input_tokens=5, output_tokens=2)


def chain(*on: FallbackReason, most: int | None = None) -> ModelChain:
    """Return a chain of three models; both fallbacks take over for the reasons."""
    reasons = on or ("overload", "refusal")
    fallbacks = tuple(Fallback(model=model, on=reasons) for model in ("b/second", "c/third"))
    return ModelChain(model="a/first", fallbacks=fallbacks, max_call_usd_micros=most)


class Walk:
    """A walk over planned models that remembers whom it asked, and with how much time."""

    def __init__(self, plan: Plan, *, breakers: Breakers | None = None, tenant: str = "default", unable: str = "") -> None:
        self.asked: list[str] = []
        self.seconds: list[float] = []
        self._plan = plan
        self._walk = ChainWalk(
            tenant=tenant,
            call=self._call,
            worst_of=PRICES.get,
            cost_of=lambda reply: PRICES[reply.answered_by],
            timeout_s=10.0,
            unable={model: f"`{model}` reads no images" for model in unable.split()},
            breakers=breakers,
        )

    async def ask(self, given: ModelChain) -> CompletionReply:
        """Walk."""
        return await self._walk.ask(ASKED, given)

    async def _call(self, request: CompletionRequest, timeout_s: float, place: int) -> CompletionReply:
        assert request.model == ["a/first", "b/second", "c/third"][place]
        self.asked.append(request.model)
        self.seconds.append(timeout_s)
        planned = self._plan.get(request.model, said(request.model))
        if isinstance(planned, StandfastError):
            raise planned
        return planned


class TestChain:
    async def test_asks_the_first_model_alone_when_it_answers(self) -> None:
        walk = Walk({})
        reply = await walk.ask(chain())
        assert (reply.answered_by, reply.model, reply.fallbacks, walk.asked) == ("a/first", "a/first", [], ["a/first"])

    async def test_goes_on_when_a_model_is_busy(self) -> None:
        reply = await Walk({"a/first": ModelUnavailable("overloaded")}).ask(chain())
        assert (reply.answered_by, reply.model) == ("b/second", "a/first")
        assert [(taken.model, taken.reason, taken.cost_usd_micros) for taken in reply.fallbacks] == [("a/first", "overload", 0)]

    async def test_goes_on_when_a_model_declines_and_counts_what_that_cost(self) -> None:
        reply = await Walk({"a/first": said("a/first", StopReason.REFUSED)}).ask(chain())
        [taken] = reply.fallbacks
        assert (reply.answered_by, taken.reason, taken.input_tokens, taken.output_tokens, taken.cost_usd_micros) == (
            *("b/second", "refusal"),
            *(5, 2, 9),
        )

    async def test_passes_dear_models_over_without_asking_them(self) -> None:
        walk = Walk({})
        reply = await walk.ask(chain("price", most=3))
        assert (reply.answered_by, walk.asked) == ("c/third", ["c/third"])
        assert [taken.reason for taken in reply.fallbacks] == ["price", "price"]

    async def test_stops_when_every_model_is_too_dear(self) -> None:
        walk = Walk({})
        with pytest.raises(BudgetExceeded, match="max_call_usd"):
            await walk.ask(chain("price", most=0))
        assert walk.asked == []

    async def test_keeps_a_refusal_when_nobody_takes_over(self) -> None:
        reply = await Walk({"a/first": said("a/first", StopReason.REFUSED)}).ask(chain("overload"))
        assert (reply.stop, reply.answered_by) == (StopReason.REFUSED, "a/first")

    async def test_waits_as_long_as_the_least_busy_model_says(self) -> None:
        busy: Plan = {
            "a/first": ModelUnavailable("busy", retry_after_s=60),
            "b/second": ModelUnavailable("busy", retry_after_s=3),
            "c/third": ModelUnavailable("busy"),
        }
        with pytest.raises(ModelUnavailable) as caught:
            await Walk(busy).ask(chain())
        assert caught.value.retry_after_s == 3

    async def test_does_not_hide_a_failure_that_lasts(self) -> None:
        walk = Walk({"a/first": ModelFailed("no such model")})
        with pytest.raises(ModelFailed):
            await walk.ask(chain())
        assert walk.asked == ["a/first"]

    async def test_leaves_time_for_those_that_may_take_over(self) -> None:
        walk = Walk({"a/first": ModelUnavailable("slow"), "b/second": ModelUnavailable("slow")})
        await walk.ask(chain())
        assert walk.seconds[0] == pytest.approx(6.0, abs=0.2)
        assert walk.seconds[2] > walk.seconds[1]


class TestUnable:
    """Models that do not read what they would be shown, or have too little room."""

    async def test_are_passed_over_without_being_asked(self) -> None:
        walk = Walk({"a/first": ModelUnavailable("overloaded")}, unable="b/second")
        reply = await walk.ask(chain())
        assert (reply.answered_by, walk.asked) == ("c/third", ["a/first", "c/third"])
        assert [(taken.model, taken.reason) for taken in reply.fallbacks] == [("a/first", "overload"), ("b/second", "unable")]
        assert reply.fallbacks[1].detail == "`b/second` reads no images"

    async def test_give_way_at_the_head_of_the_chain_to_whoever_can(self) -> None:
        walk = Walk({}, unable="a/first")
        reply = await walk.ask(chain("price"))
        assert (reply.answered_by, walk.asked, [taken.reason for taken in reply.fallbacks]) == ("b/second", ["b/second"], ["unable"])

    async def test_fail_the_call_when_there_is_no_other(self) -> None:
        walk = Walk({}, unable="a/first b/second c/third")
        with pytest.raises(ModelFailed, match="`a/first` reads no images; `b/second` reads no images; `c/third` reads"):
            await walk.ask(chain())
        assert walk.asked == []

    async def test_leave_a_busy_model_to_the_next_attempt(self) -> None:
        walk = Walk({"a/first": ModelUnavailable("overloaded", retry_after_s=7)}, unable="b/second c/third")
        with pytest.raises(ModelUnavailable, match="overloaded; passed over: `b/second` reads no images") as caught:
            await walk.ask(chain())
        assert (caught.value.retry_after_s, walk.seconds[0]) == (7, pytest.approx(10.0, abs=0.2))

    async def test_leave_a_refusal_as_it_is_and_are_told(self) -> None:
        reply = await Walk({"a/first": said("a/first", StopReason.REFUSED)}, unable="b/second c/third").ask(chain())
        assert (reply.stop, reply.answered_by) == (StopReason.REFUSED, "a/first")
        assert [(taken.model, taken.reason) for taken in reply.fallbacks] == [("b/second", "unable"), ("c/third", "unable")]

    async def test_hide_no_limit_on_the_price(self) -> None:
        walk = Walk({}, unable="a/first")
        with pytest.raises(BudgetExceeded, match="c/third"):
            await walk.ask(chain("price", most=0))


class TestBreaker:
    async def fail(self, breakers: Breakers, *, tenant: str = "default", times: int = 1) -> None:
        """Let the first model fail a tenant so often, alone."""
        for _ in range(times):
            with pytest.raises(ModelUnavailable):
                await Walk({"a/first": ModelUnavailable("away")}, breakers=breakers, tenant=tenant).ask(ModelChain(model="a/first"))

    async def test_leaves_a_provider_alone_that_keeps_failing(self) -> None:
        breakers = PurgatoryBreakers(failures=3)
        await self.fail(breakers, times=3)
        walk = Walk({}, breakers=breakers)
        with pytest.raises(ModelUnavailable, match="left alone") as caught:
            await walk.ask(ModelChain(model="a/first"))
        assert walk.asked == []
        assert caught.value.retry_after_s is not None
        assert 0 < caught.value.retry_after_s <= 30

    async def test_lets_the_chain_go_on_at_once(self) -> None:
        breakers = PurgatoryBreakers(failures=3)
        await self.fail(breakers, times=3)
        walk = Walk({}, breakers=breakers)
        assert (await walk.ask(chain())).answered_by == "b/second"
        assert walk.asked == ["b/second"]

    async def test_is_one_for_each_tenant(self) -> None:
        breakers = PurgatoryBreakers(failures=2)
        await self.fail(breakers, times=2)
        assert (await Walk({}, breakers=breakers, tenant="other").ask(chain())).answered_by == "a/first"

    async def test_is_closed_by_an_answer_even_if_that_is_a_failure_that_lasts(self) -> None:
        breakers = PurgatoryBreakers(failures=2)
        await self.fail(breakers)
        with pytest.raises(ModelFailed):
            await Walk({"a/first": ModelFailed("bad request")}, breakers=breakers).ask(chain())
        await self.fail(breakers)
        assert (await Walk({}, breakers=breakers).ask(chain())).answered_by == "a/first"

    async def test_lets_calls_through_again_after_its_time(self) -> None:
        breakers = PurgatoryBreakers(failures=1, open_s=0.05)
        await self.fail(breakers)
        with pytest.raises(ModelUnavailable, match="left alone"):
            await Walk({}, breakers=breakers).ask(ModelChain(model="a/first"))
        async with asyncio.timeout(5):
            while (await _answered(breakers)) is None:
                await asyncio.sleep(0.01)

    async def test_leaves_scripts_alone(self) -> None:
        breakers = PurgatoryBreakers(failures=1)
        scripted = ModelChain(model="scripted/claims")
        for _ in range(3):
            walk = ChainWalk(tenant="default", call=_away, worst_of=PRICES.get, cost_of=lambda _reply: 0, timeout_s=1.0, breakers=breakers)
            with pytest.raises(ModelUnavailable, match="on purpose"):
                await walk.ask(ASKED, scripted)

    def test_stands_around_a_call(self) -> None:
        assert isinstance(PurgatoryBreakers().around("default", "a"), AbstractAsyncContextManager)


async def _away(_request: CompletionRequest, _timeout_s: float, _place: int) -> CompletionReply:
    raise ModelUnavailable("on purpose")


async def _answered(breakers: Breakers) -> CompletionReply | None:
    try:
        return await Walk({}, breakers=breakers).ask(ModelChain(model="a/first"))
    except ModelUnavailable:
        return None
