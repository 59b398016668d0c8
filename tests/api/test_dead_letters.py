"""Dead letters over HTTP: listed, redriven one by one or many a second, discarded with a reason."""

import pytest

from api.dead_letters import DeadLetters
from domain.dead_letters import DeadLetter, DeadLetterKind, NewDeadLetter, Redriver
from domain.errors import NotRedrivable, StandfastError, Unavailable
from tests.api.gateway import Gateway, fresh_id, gateway, wait_for
from tests.contracts.journal_bench import AT

LETTERS = "/v1/dead-letters"


class FakeRedriver:
    """Remembers what it redrove; refuses with `refusal` while that is set."""

    def __init__(self) -> None:
        self.redriven: list[tuple[str, str, str | None]] = []
        self.refusal: StandfastError | None = None

    async def redrive(self, letter: DeadLetter, *, by: str, reason: str | None) -> None:
        """Redrive it."""
        if self.refusal is not None:
            raise self.refusal
        self.redriven.append((letter.subject, by, reason))


@pytest.fixture
def redriver() -> FakeRedriver:
    """What redrives deliveries."""
    return FakeRedriver()


@pytest.fixture
def house(redriver: FakeRedriver) -> Gateway:
    """A gateway whose deliveries can be redriven."""
    redrivers: dict[DeadLetterKind, Redriver] = {DeadLetterKind.DELIVERY: redriver}
    return gateway(redrivers=redrivers)


def add(house: Gateway, subject: str = "dlv_1", *, kind: DeadLetterKind = DeadLetterKind.DELIVERY, tenant: str = "default") -> str:
    """Add a dead letter and return its id."""
    given = NewDeadLetter(
        tenant=tenant, kind=kind, subject=subject, occasion="1", cause="endpoint-failed", detail="500", first_at=AT, last_at=AT
    )
    return wait_for(house.stores.dead_letters.add(given))


def sweep(house: Gateway, rounds: int = 1) -> None:
    """Let the sweeper's rounds redrive what is due, a second apart."""
    for _ in range(rounds):
        wait_for(DeadLetters(house.deps).redrive_due("default"))
        house.stores.database.pass_time(seconds=1)


class TestList:
    def test_shows_open_ones_and_others_by_name(self, house: Gateway) -> None:
        kept, gone = add(house), add(house, "dlv_2")
        house.client("operator").post(f"{LETTERS}/{gone}/discard", json={"reason": "sent by hand"})
        client = house.client("viewer")
        for state, names in (("open", {kept}), ("discarded", {gone}), ("any", {kept, gone})):
            assert {one["dead_letter"] for one in client.get(f"{LETTERS}?state={state}").json()["items"]} == names
        assert {one["dead_letter"] for one in client.get(LETTERS).json()["items"]} == {kept}

    def test_narrows_by_kind_and_cause(self, house: Gateway) -> None:
        add(house)
        hook = add(house, "hok_1", kind=DeadLetterKind.HOOK)
        client = house.client("viewer")
        assert [one["dead_letter"] for one in client.get(f"{LETTERS}?kind=hook").json()["items"]] == [hook]
        assert client.get(f"{LETTERS}?cause=run-failed").json()["items"] == []

    @pytest.mark.parametrize("query", ["kind=letter", "state=shut", "since=yesterday", "cause=Not+A+Code", "nonsense=1"])
    def test_says_which_filter_is_wrong(self, house: Gateway, query: str) -> None:
        answer = house.client("viewer").get(f"{LETTERS}?{query}")
        assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, f"query:{query.partition('=')[0]}")

    def test_of_another_tenant_is_the_same_404_as_none(self, house: Gateway) -> None:
        foreign = add(house, tenant="other")
        for name in (foreign, fresh_id("dlq")):
            for path, body in ((f"{LETTERS}/{name}/redrive", {}), (f"{LETTERS}/{name}/discard", {"reason": "x"})):
                assert house.client("operator").post(path, json=body).status_code == 404
            assert house.client("viewer").get(f"{LETTERS}/{name}").status_code == 404


class TestRedrive:
    def test_hands_it_to_the_redriver_of_its_kind_and_closes_it(self, house: Gateway, redriver: FakeRedriver) -> None:
        name = add(house)
        answer = house.client("operator").post(f"{LETTERS}/{name}/redrive", json={"reason": "fixed"}).json()
        operator = house.principals["operator"].id
        assert (answer["state"], answer["by"], answer["reason"]) == ("redriven", operator, "fixed")
        assert redriver.redriven == [("dlv_1", operator, "fixed")]
        again = house.client("operator").post(f"{LETTERS}/{name}/redrive")
        assert (again.status_code, again.json()["code"]) == (409, "dead-letter-closed")

    def test_that_is_refused_leaves_it_open_and_says_why(self, house: Gateway, redriver: FakeRedriver) -> None:
        name = add(house)
        redriver.refusal = NotRedrivable("the endpoint is disabled")
        assert house.client("operator").post(f"{LETTERS}/{name}/redrive").json()["code"] == "not-redrivable"
        shown = house.client("viewer").get(f"{LETTERS}/{name}").json()
        assert (shown["state"], shown["refused"]) == ("open", "not-redrivable")
        redriver.refusal = None
        assert house.client("operator").post(f"{LETTERS}/{name}/redrive").status_code == 200

    def test_of_a_kind_that_nothing_redrives_is_409(self, house: Gateway) -> None:
        name = add(house, "sch_1", kind=DeadLetterKind.SCHEDULE)
        assert "schedule" in house.client("operator").post(f"{LETTERS}/{name}/redrive").json()["detail"]

    def test_of_a_run_opens_it_again_only_when_it_ended_badly(self, house: Gateway) -> None:
        run = house.start()
        name = add(house, run, kind=DeadLetterKind.RUN)
        assert house.client("operator").post(f"{LETTERS}/{name}/redrive").json()["code"] == "not-redrivable"


class TestBulkRedrive:
    def test_redrives_at_its_rate_and_then_is_finished(self, house: Gateway, redriver: FakeRedriver) -> None:
        for number in range(5):
            add(house, f"dlv_{number}")
        begun = house.client("operator").post(f"{LETTERS}/redrive", json={"kind": "delivery", "rate": 2, "reason": "up again"})
        assert (begun.status_code, begun.json()["left"]) == (202, 5)
        sweep(house)
        assert len(redriver.redriven) == 1
        sweep(house, rounds=4)
        shown = house.client("viewer").get(f"{LETTERS}/redrives/{begun.json()['redrive']}").json()
        assert (shown["redriven"], shown["left"], shown["finished_at"] is None, len(redriver.redriven)) == (5, 0, False, 5)

    def test_tries_each_once_and_counts_refusals(self, house: Gateway, redriver: FakeRedriver) -> None:
        add(house)
        redriver.refusal = NotRedrivable("disabled")
        begun = house.client("operator").post(f"{LETTERS}/redrive", json={"all": True, "rate": 10}).json()
        sweep(house, rounds=3)
        shown = house.client("viewer").get(f"{LETTERS}/redrives/{begun['redrive']}").json()
        assert (shown["redriven"], shown["refused"], shown["finished_at"] is None) == (0, 1, False)

    def test_goes_on_when_a_part_was_away(self, house: Gateway, redriver: FakeRedriver) -> None:
        for number in range(3):
            add(house, f"dlv_{number}")
        house.client("operator").post(f"{LETTERS}/redrive", json={"all": True, "rate": 100})
        house.stores.database.pass_time(seconds=1)
        redriver.refusal = Unavailable("down")
        with pytest.raises(Unavailable):
            sweep(house)
        redriver.refusal = None
        house.stores.database.pass_time(seconds=1)
        sweep(house, rounds=2)
        assert len(redriver.redriven) == 3

    def test_leaves_what_came_after_it_was_ordered(self, house: Gateway, redriver: FakeRedriver) -> None:
        house.client("operator").post(f"{LETTERS}/redrive", json={"all": True, "rate": 100})
        house.stores.database.pass_time(seconds=1)
        add(house)
        sweep(house, rounds=2)
        assert redriver.redriven == []

    @pytest.mark.parametrize("body", [{}, {"all": True, "kind": "run"}, {"all": True, "rate": 0}, {"all": True, "rate": 101}])
    def test_without_one_clear_choice_is_422(self, house: Gateway, body: dict[str, object]) -> None:
        assert house.client("operator").post(f"{LETTERS}/redrive", json=body).status_code == 422


class TestDiscard:
    @pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "   "}])
    def test_needs_a_reason(self, house: Gateway, body: dict[str, str]) -> None:
        answer = house.client("operator").post(f"{LETTERS}/{add(house)}/discard", json=body)
        assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "/reason")

    def test_says_who_and_why(self, house: Gateway) -> None:
        name = add(house)
        house.client("operator").post(f"{LETTERS}/{name}/discard", json={"reason": "paid by hand"})
        shown = house.client("viewer").get(f"{LETTERS}/{name}").json()
        assert (shown["state"], shown["reason"], shown["by"]) == ("discarded", "paid by hand", house.principals["operator"].id)
