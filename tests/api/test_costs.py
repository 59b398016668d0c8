"""`/v1/costs` and `/v1/prices` over HTTP."""

import csv
import io

import pytest

from tests.api.gateway import Gateway
from tests.fakes_money import Settled

RUN = "run_00000000000000000000000001"


def settled(**changes: object) -> Settled:
    """Build one settled model call."""
    fields: dict[str, object] = {
        "tenant": "default",
        "run": RUN,
        "definition": "delay-claim",
        "step": "review",
        "call": "1.model",
        "subject": "fake/model",
        "model": "fake/model",
        "at": "2026-03-01T12:00:00.000000Z",
        "input_tokens": 10,
        "output_tokens": 5,
        "cost_usd_micros": 30,
        **changes,
    }
    return Settled(**fields)  # pyright: ignore[reportArgumentType]  # built by name


@pytest.fixture
def paid(house: Gateway) -> Gateway:
    """A gateway with four settled calls, one of another tenant."""
    house.stores.costs.settled = [
        settled(),
        settled(call="2.model", at="2026-03-02T12:00:00.000000Z", cost_usd_micros=70),
        settled(step="pay", call="call", subject="bank.pay@1.0.0", model=None, input_tokens=0, output_tokens=0, cost_usd_micros=5),
        settled(tenant="other", cost_usd_micros=1000),
    ]
    return house


class TestCosts:
    @pytest.mark.parametrize(
        ("by", "expected"),
        [
            ("day", [("2026-03-01", 35), ("2026-03-02", 70)]),
            ("step", [("delay-claim/review", 100), ("delay-claim/pay", 5)]),
            ("agent", [("delay-claim/review", 100)]),
            ("run", [(RUN, 105)]),
            ("model", [("fake/model", 100), ("bank.pay@1.0.0", 5)]),
            ("tenant", [("default", 105)]),
            ("definition", [("delay-claim", 105)]),
        ],
    )
    def test_are_summed_up_by(self, paid: Gateway, by: str, expected: list[tuple[str, int]]) -> None:
        answer = paid.client("viewer").get(f"/v1/costs?by={by}").json()
        assert [(group["key"], group["cost_usd_micros"]) for group in answer["items"]] == expected
        assert answer["total_usd_micros"] == sum(cost for _, cost in expected)

    def test_are_narrowed_by_time_and_place(self, paid: Gateway) -> None:
        client = paid.client()
        assert client.get("/v1/costs?since=2026-03-02T00:00:00Z").json()["total_usd_micros"] == 70
        assert client.get("/v1/costs?until=2026-03-02T00:00:00Z&model=fake/model").json()["total_usd_micros"] == 30
        assert client.get("/v1/costs?definition=another").json()["items"] == []

    def test_say_when_groups_are_missing(self, paid: Gateway) -> None:
        answer = paid.client().get("/v1/costs?by=step&limit=1").json()
        assert (len(answer["items"]), answer["truncated"]) == (1, True)

    @pytest.mark.parametrize("how", ["query", "header"])
    def test_come_as_csv(self, paid: Gateway, how: str) -> None:
        headers = {"Accept": "text/csv"} if how == "header" else {}
        answer = paid.client().get("/v1/costs?by=step" + ("&format=csv" if how == "query" else ""), headers=headers)
        assert answer.headers["content-type"].startswith("text/csv")
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert [(row["key"], row["cost_usd_micros"]) for row in rows] == [("delay-claim/review", "100"), ("delay-claim/pay", "5")]

    def test_never_make_a_formula_of_a_name(self, house: Gateway) -> None:
        house.stores.costs.settled = [settled(model="=HYPERLINK()")]
        assert "'=HYPERLINK()" in house.client().get("/v1/costs?by=model&format=csv").text

    @pytest.mark.parametrize("query", ["by=colour", "since=yesterday", "since=2026-03-01T00:00:00", "limit=0", "colour=red"])
    def test_refuse_questions_that_make_no_sense(self, house: Gateway, query: str) -> None:
        assert house.client().get(f"/v1/costs?{query}").status_code in (400, 422)


class TestInvoice:
    def test_has_a_line_for_each_definition_and_model(self, paid: Gateway) -> None:
        answer = paid.client("auditor").get("/v1/costs/invoice?month=2026-03").json()
        assert [(line["subject"], line["calls"], line["cost_usd_micros"]) for line in answer["lines"]] == [
            ("bank.pay@1.0.0", 1, 5),
            ("fake/model", 2, 100),
        ]
        assert (answer["total_usd_micros"], answer["currency"], answer["tenant"]) == (105, "USD", "default")

    def test_comes_as_csv_with_its_total_last(self, paid: Gateway) -> None:
        rows = list(csv.DictReader(io.StringIO(paid.client().get("/v1/costs/invoice?month=2026-03&format=csv").text)))
        assert (rows[-1]["subject"], rows[-1]["cost_usd_micros"]) == ("total", "105")

    def test_is_of_a_month(self, house: Gateway) -> None:
        assert house.client().get("/v1/costs/invoice?month=2026-13").status_code in (400, 422)


class TestEstimate:
    def test_of_a_prompt_begins_with_broad_defaults(self, house: Gateway) -> None:
        body = {"prompt": {"model": "fake/model", "instructions": "Check.", "max_output_tokens": 1000}}
        answer = house.client("viewer").post("/v1/costs/estimate", json=body).json()
        assert answer["usd_micros"]["low"] < answer["usd_micros"]["expected"] < answer["usd_micros"]["high"] == answer["worst_usd_micros"]
        assert (answer["basis"], answer["samples"], answer["confidence"]) == ("defaults", 0, 0.9)

    def test_learns_from_settled_calls(self, house: Gateway) -> None:
        house.stores.costs.settled = [
            settled(call=f"{number}.model", cost_usd_micros=10 + number % 3, worst_usd_micros=100, worst_tokens=100) for number in range(60)
        ]
        body = {"prompt": {"model": "fake/model", "max_output_tokens": 1000}}
        answer = house.client().post("/v1/costs/estimate", json=body).json()
        worst = answer["worst_usd_micros"]
        assert (answer["basis"], answer["samples"]) == ("settled_calls", 60)
        assert answer["usd_micros"] == {"low": round(worst * 0.10), "expected": round(worst * 0.11), "high": round(worst * 0.12)}

    def test_says_which_model_has_no_price(self, house: Gateway) -> None:
        answer = house.client().post("/v1/costs/estimate", json={"prompt": {"model": "fake/unpriced"}}).json()
        assert (answer["usd_micros"], answer["unpriced"]) == (None, ["fake/unpriced"])
        assert answer["tokens"]["high"] == answer["worst_tokens"]

    def test_of_a_definition_counts_its_calls(self, house: Gateway) -> None:
        answer = house.client().post("/v1/costs/estimate", json={"definition": "delay-claim", "input": {"claim": {"id": "c"}}})
        assert answer.status_code == 200, answer.text
        assert answer.json()["usd_micros"] == {"low": 0, "expected": 0, "high": 0}

    @pytest.mark.parametrize("body", [{}, {"definition": "delay-claim", "prompt": {"model": "fake/model"}}, {"prompt": {"model": "x"}}])
    def test_refuses_what_names_not_one_thing(self, house: Gateway, body: dict[str, object]) -> None:
        assert house.client().post("/v1/costs/estimate", json=body).status_code == 422

    def test_of_an_unknown_definition_is_not_found(self, house: Gateway) -> None:
        assert house.client().post("/v1/costs/estimate", json={"definition": "no-such"}).status_code == 404


class TestPrices:
    def test_are_shown_for_the_models_that_are_asked(self, house: Gateway) -> None:
        answer = house.client().get("/v1/prices?model=fake/model&model=fake/unpriced").json()
        assert [(price["model"], price["input_usd_micros_per_million"]) for price in answer["items"]] == [("fake/model", 2_000_000)]
        assert answer["unknown"] == ["fake/unpriced"]

    def test_are_the_operators_own_without_a_model(self, house: Gateway) -> None:
        assert house.client().get("/v1/prices").json() == {"items": [], "unknown": []}
