"""Budgets, costs, estimates and prices through the client against the real gateway."""

import pytest

from domain.budget import Unit
from standfast_client import InvalidInputError, NotFoundError
from tests.api.test_budgets import event
from tests.api.test_costs import settled
from tests.clients.live_gateway import LiveGateway


class TestBudgets:
    def test_are_set_listed_and_taken_away(self, live: LiveGateway) -> None:
        with live.client() as client:
            (made,) = client.budgets.set("tenant", "default", {"usd_micros": {"hard": 1000}, "period": "month"})
            live.house.stores.budgets.spend("default", "tenant", "", Unit.USD_MICROS, 400)
            (listed,) = client.budgets.list(scope="tenant")
            assert (made.left, listed.left, listed.period) == (1000, 600, "month")
            assert {one.hard for one in client.budgets.clear("tenant", "default")} == {None}

    def test_of_nothing_here_are_not_found(self, live: LiveGateway) -> None:
        with live.client() as client, pytest.raises(NotFoundError):
            client.budgets.set("definition", "no-such", {"tokens": {"hard": 1}})

    def test_without_a_unit_are_refused(self, live: LiveGateway) -> None:
        with live.client() as client, pytest.raises(InvalidInputError):
            client.budgets.set("tenant", "default", {})

    async def test_tell_what_was_passed(self, live: LiveGateway) -> None:
        live.house.stores.budgets.events_of["default"] = [event("a", live.house.start()), event("b", live.house.start())]
        async with live.async_client() as client:
            assert [one.event for one in await client.budgets.events()] == ["b", "a"]


class TestCosts:
    def test_are_summed_up_and_billed(self, live: LiveGateway) -> None:
        live.house.stores.costs.settled = [settled(), settled(cost_usd_micros=5, step="other")]
        with live.client("auditor") as client:
            assert [group.key for group in client.costs.list(by="step").items] == ["delay-claim/review", "delay-claim/other"]
            assert client.costs.csv(by="step").splitlines()[0].startswith("key,calls")
            assert client.costs.invoice("2026-03").total_usd_micros == 35
            assert client.costs.invoice_csv("2026-03").splitlines()[-1].endswith("35,USD")

    async def test_are_estimated(self, live: LiveGateway) -> None:
        async with live.async_client() as client:
            prompt = await client.costs.estimate_prompt("fake/model", input={"claim": 1}, max_output_tokens=100)
            whole = await client.costs.estimate("delay-claim", {"claim": {"id": "c"}})
        assert prompt.usd_micros is not None
        assert prompt.usd_micros.high == prompt.worst_usd_micros
        assert whole.worst_tokens == 0

    def test_have_prices(self, live: LiveGateway) -> None:
        with live.client() as client:
            assert [price.input_usd_micros_per_million for price in client.costs.prices(["fake/model"])] == [2_000_000]
