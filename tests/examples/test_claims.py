"""The claims, the policy and what is expected of them agree with the real table."""

import json
from pathlib import Path
from typing import Any

import pytest

from examples.delay_claim.lookup import look_up_flight

EXAMPLE = Path(__file__).parents[2] / "examples" / "delay_claim"
Json = dict[str, Any]  # Any: the files are the subject here; each test says what it expects in them


def read(name: str) -> Json:
    """Read one JSON file of the example."""
    return json.loads((EXAMPLE / name).read_text(encoding="utf-8"))


POLICY = read("policy.json")
EXPECTED = read("expected.json")
CLAIMS = {claim["claim_id"]: claim for claim in (read(f"claims/{path.name}") for path in sorted((EXAMPLE / "claims").glob("*.json")))}
EACH_CLAIM = pytest.mark.parametrize("claim_id", sorted(CLAIMS))


def owed_micros(claim: Json) -> int:
    """Work the amount out from table and policy alone."""
    flight = look_up_flight(claim["carrier"], claim["flight"], claim["date"], claim["origin"])
    if flight["found"] is False:
        return 0
    if flight["status"] != "flown":
        return POLICY[f"{flight['status']}_amount_micros"]
    reached = [band["amount_micros"] for band in POLICY["bands"] if (flight["arrival_delay_minutes"] or 0) >= band["from_delay_minutes"]]
    return max(reached, default=0)


class TestClaims:
    """Each claim file against the table."""

    @EACH_CLAIM
    def test_has_every_field_of_a_claim(self, claim_id: str) -> None:
        claim = CLAIMS[claim_id]

        assert set(claim) == {"claim_id", "passenger", "email", "carrier", "flight", "date", "origin", "dest", "text"}
        assert claim["email"].endswith("@example.com")

    @EACH_CLAIM
    def test_table_and_policy_give_what_is_expected(self, claim_id: str) -> None:
        expected, amount = EXPECTED[claim_id], owed_micros(CLAIMS[claim_id])

        assert amount == expected["amount_micros"]
        assert expected["verdict"] == ("pay" if amount else "refuse")
        assert expected["needs_person"] == (amount > POLICY["auto_limit_micros"])

    @EACH_CLAIM
    def test_the_flight_is_as_expected(self, claim_id: str) -> None:
        claim, expected = CLAIMS[claim_id], EXPECTED[claim_id]

        flight = look_up_flight(claim["carrier"], claim["flight"], claim["date"], claim["origin"])

        assert flight.get("status", flight.get("reason")) == expected["flight_status"]
        assert flight.get("arrival_delay_minutes") == expected["arrival_delay_minutes"]
        assert flight.get("dest", claim["dest"]) == claim["dest"]

    def test_every_claim_is_expected_and_every_expectation_has_its_claim(self) -> None:
        assert set(EXPECTED) == set(CLAIMS)
        assert all(read(told["claim_file"])["claim_id"] == claim_id for claim_id, told in EXPECTED.items())

    def test_every_scenario_of_the_demo_is_there(self) -> None:
        scenarios = {told["scenario"] for told in EXPECTED.values()}

        assert scenarios >= {"paid-at-once", "waits-for-a-person", "never-flew", "pay-fails", "worker-killed"}

    def test_no_two_claims_share_a_passenger(self) -> None:
        assert len({claim["email"] for claim in CLAIMS.values()}) == len(CLAIMS)


class TestPolicy:
    """The policy numbers make sense together."""

    def test_bands_rise_from_the_least_delay(self) -> None:
        delays = [band["from_delay_minutes"] for band in POLICY["bands"]]
        amounts = [band["amount_micros"] for band in POLICY["bands"]]

        assert delays[0] == POLICY["min_delay_minutes"]
        assert (delays, amounts) == (sorted(set(delays)), sorted(set(amounts)))

    def test_the_auto_limit_lies_between_the_amounts(self) -> None:
        amounts = [band["amount_micros"] for band in POLICY["bands"]]

        assert amounts[0] <= POLICY["auto_limit_micros"] < amounts[-1]
