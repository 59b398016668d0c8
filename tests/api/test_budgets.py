"""`/v1/budgets` over HTTP, and the sweeper's part in budgets."""

import asyncio
from dataclasses import replace

import pytest

from api.budget_keeper import keep_budgets
from api.money_deps import MoneyDeps
from domain.budget import Unit
from domain.budget_stores import BudgetEvent, BudgetSubscriber
from domain.errors import Unavailable
from domain.ledger import Kind
from tests.api.gateway import Gateway, gateway, wait_for


def event(name: str, run: str, *, threshold: int = 80) -> BudgetEvent:
    """Build an event of the tenant's budget."""
    return BudgetEvent(
        event=name,
        at="2026-03-01T12:00:00.000000Z",
        scope="tenant",
        name="",
        unit=Unit.USD_MICROS,
        threshold=threshold,
        basis=1000,
        spent=900,
        run=run,
    )


class TestBudgets:
    def test_are_set_read_and_taken_away(self, house: Gateway) -> None:
        client = house.client()
        answer = client.put("/v1/budgets/tenant/default", json={"usd_micros": {"hard": 1000, "soft": 500}, "period": "month"})
        assert answer.status_code == 200, answer.text
        (shown,) = answer.json()["items"]
        assert (shown["name"], shown["hard"], shown["soft"], shown["left"], shown["period"]) == ("default", 1000, 500, 1000, "month")
        assert client.get("/v1/budgets/tenant/default").json()["items"] == [shown]
        assert [one["scope"] for one in client.get("/v1/budgets").json()["items"]] == ["tenant"]
        cleared = client.delete("/v1/budgets/tenant/default")
        assert {one["hard"] for one in cleared.json()["items"]} == {None}

    def test_show_what_is_left(self, house: Gateway) -> None:
        house.client().put("/v1/budgets/definition/delay-claim", json={"tokens": {"hard": 100}})
        house.stores.budgets.spend("default", "definition", "delay-claim", Unit.TOKENS, 130)
        (shown,) = house.client("viewer").get("/v1/budgets?scope=definition").json()["items"]
        assert (shown["spent"], shown["left"], shown["unit"]) == (130, 0, "tokens")

    def test_of_a_run_are_shown_when_it_is_named(self, house: Gateway) -> None:
        run = house.start()
        assert house.client().put(f"/v1/budgets/run/{run}", json={"usd_micros": {"hard": 5}}).status_code == 200
        assert house.client().get(f"/v1/budgets?scope=run&name={run}").json()["items"][0]["hard"] == 5
        assert house.client().get("/v1/budgets").json()["items"] == []

    @pytest.mark.parametrize("path", ["tenant/other", "definition/no-such", "run/run_00000000000000000000000009", "galaxy/x"])
    def test_of_nothing_here_are_not_found(self, house: Gateway, path: str) -> None:
        answer = house.client().put(f"/v1/budgets/{path}", json={"usd_micros": {"hard": 1}})
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")

    def test_of_another_tenants_run_are_not_found(self, house: Gateway) -> None:
        run = house.start()
        assert house.client("stranger").put(f"/v1/budgets/run/{run}", json={"usd_micros": {"hard": 1}}).status_code == 404
        assert house.client("stranger").get(f"/v1/budgets/run/{run}").status_code == 404

    @pytest.mark.parametrize(
        ("body", "where"),
        [
            ({}, "/"),
            ({"usd_micros": None}, "/"),
            ({"usd_micros": {"hard": -1}}, "/usd_micros/hard"),
            ({"usd_micros": {"hard": 1}, "thresholds": [0]}, "/thresholds/0"),
            ({"euro": {"hard": 1}}, "/euro"),
        ],
    )
    def test_that_make_no_sense_are_refused_with_the_place(self, house: Gateway, body: dict[str, object], where: str) -> None:
        answer = house.client().put("/v1/budgets/tenant/default", json=body)
        assert answer.status_code == 422, answer.text
        assert [mistake["where"] for mistake in answer.json()["errors"]] == [where]

    def test_of_a_run_have_no_period(self, house: Gateway) -> None:
        answer = house.client().put(f"/v1/budgets/run/{house.start()}", json={"usd_micros": {"hard": 1}, "period": "day"})
        assert answer.status_code == 422

    def test_are_for_admins_to_set(self, house: Gateway) -> None:
        assert house.client("operator").put("/v1/budgets/tenant/default", json={"usd_micros": {"hard": 1}}).status_code == 403


class TestEvents:
    def test_are_listed_newest_first(self, house: Gateway) -> None:
        run = house.start()
        house.stores.budgets.events_of["default"] = [event("a", run), event("b", run)]
        page = house.client().get("/v1/budgets/events?limit=1").json()
        assert [one["event"] for one in page["items"]] == ["b"]
        following = house.client().get(f"/v1/budgets/events?limit=1&cursor={page['next_cursor']}").json()
        assert ([one["event"] for one in following["items"]], following["next_cursor"]) == (["a"], None)

    def test_are_told_to_the_ledger_and_to_subscribers_once(self, house: Gateway) -> None:
        run, told = house.start(), list[str]()

        class Subscriber:
            async def budget_passed(self, tenant: str, event: BudgetEvent) -> None:
                told.append(f"{tenant}:{event.event}")

        other = gateway(runs=house.stores.runs, money=_money(house, Subscriber()))
        house.stores.budgets.events_of["default"] = [event("a", run)]
        for _ in range(2):
            wait_for(keep_budgets(other.deps, "default"))
        assert told == ["default:a"]
        assert wait_for(house.stores.runs.get("default", run)).head_seq == 2

    def test_are_told_again_when_a_subscriber_is_away(self, house: Gateway) -> None:
        run, tries = house.start(), list[str]()

        class Away:
            async def budget_passed(self, tenant: str, event: BudgetEvent) -> None:
                tries.append(event.event)
                if len(tries) == 1:
                    raise Unavailable(f"{tenant} is away")

        other = gateway(runs=house.stores.runs, money=_money(house, Away()))
        house.stores.budgets.events_of["default"] = [event("a", run)]
        for _ in range(3):
            asyncio.run(keep_budgets(other.deps, "default"))
        assert tries == ["a", "a"]

    def test_of_a_run_that_is_gone_end(self, house: Gateway) -> None:
        house.stores.budgets.events_of["default"] = [event("a", "run_00000000000000000000000009")]
        wait_for(keep_budgets(house.deps, "default"))
        assert house.stores.budgets.told == {"a"}

    def test_have_a_ledger_kind_of_their_own(self) -> None:
        assert Kind.BUDGET_PASSED == "platform:budget:passed"


def _money(house: Gateway, subscriber: BudgetSubscriber) -> MoneyDeps:
    return replace(house.deps.money, subscribers=(subscriber,))
