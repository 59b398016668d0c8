"""The demo's verdict on itself: it finds every disagreement, and chooses the model it says."""

import json
from dataclasses import replace
from typing import Any

import pytest

from examples.delay_claim.demo.drive import read_expected
from examples.delay_claim.demo.model import choose_model
from examples.delay_claim.demo.outcome import ClaimOutcome, Evidence, find_disagreements
from standfast_client import Effect, Fault, Run, Trace, Verdict

EXPECTED = read_expected()
Json = dict[str, Any]  # Any: what the services count, and fields of outcomes


def outcome_of(claim_id: str) -> ClaimOutcome:
    """Return a claim's run as it should end."""
    told = EXPECTED[claim_id]
    fails = told["scenario"] == "pay-fails"
    error = Fault(code="tool-failed", detail="refused") if fails else None
    run = Run(run=f"run_{claim_id}", definition="delay-claim", version="1.0.0", status="failed" if fails else "succeeded", error=error)
    attempt = 2 if told["scenario"] == "worker-killed" else 1
    return ClaimOutcome(
        claim_id=claim_id,
        run=run,
        result={} if fails else {"verdict": told["verdict"], "amount_micros": told["amount_micros"]},
        trace=Trace(run=run, effects=[Effect(step="settle.notify", state="done", attempt=attempt)]),
        ledger=Verdict(run.run, 30, "0" * 64),
        decision="approve" if told["needs_person"] else None,
    )


def evidence_of() -> Evidence:
    """Return the counts as they should be."""
    by_claim: Json = {}
    for claim_id, told in EXPECTED.items():
        if told["verdict"] == "pay":
            fails = told["scenario"] == "pay-fails"
            by_claim[claim_id] = {
                "reservations": 1,
                "releases": int(fails),
                "payments": int(not fails),
                "refunds": 0,
                "net_paid_micros": 0 if fails else told["amount_micros"],
            }
    net = sum(figures["net_paid_micros"] for figures in by_claim.values())
    bank: Json = {"by_claim": by_claim, "net_paid_micros": net, "held_micros": 0, "paid_more_than_once": [], "balanced": True}
    messages = {claim_id: 1 for claim_id, told in EXPECTED.items() if told["scenario"] != "pay-fails"}
    return Evidence({**bank, "effects_per_key_max": 1}, {"by_claim": messages})


OUTCOMES = [outcome_of(claim_id) for claim_id in EXPECTED]


def changed(claim_id: str, changes: Json) -> list[ClaimOutcome]:
    """Return the outcomes with fields of one of them changed."""
    return [replace(outcome, **changes) if outcome.claim_id == claim_id else outcome for outcome in OUTCOMES]


class TestDisagreements:
    """`find_disagreements` over outcomes and counts."""

    def test_are_none_when_everything_is_as_expected(self) -> None:
        assert find_disagreements(OUTCOMES, EXPECTED, evidence_of()) == []

    def test_name_a_claim_that_was_paid_twice(self) -> None:
        evidence = evidence_of()
        evidence.bank["by_claim"]["CLM-1005"].update(payments=2, net_paid_micros=240_000_000)
        evidence.bank["paid_more_than_once"].append("CLM-1005")

        found = find_disagreements(OUTCOMES, EXPECTED, evidence)

        assert "CLM-1005: the bank's payments is 2, expected 1" in found
        assert "the bank: claims paid more than once: ['CLM-1005'], expected []" in found

    @pytest.mark.parametrize(
        ("claim_id", "changes", "said"),
        [
            ("CLM-1001", {"ledger": Verdict("run", 3, "0" * 64, 2, "its hash")}, "whether the ledger verifies is False"),
            ("CLM-1001", {"result": {"verdict": "refuse", "amount_micros": 120_000_000}}, "the verdict is 'refuse', expected 'pay'"),
            ("CLM-1002", {"decision": None}, "whether a person was asked is False"),
            ("CLM-1005", {"trace": Trace(run=OUTCOMES[4].run, effects=[])}, "more than one attempt is False"),
            ("CLM-1003", {"run": OUTCOMES[2].run.model_copy(update={"status": "failed"})}, "the run's status is 'failed'"),
        ],
    )
    def test_name_what_is_wrong_with_a_run(self, claim_id: str, changes: Json, said: str) -> None:
        found = find_disagreements(changed(claim_id, changes), EXPECTED, evidence_of())

        assert len(found) == 1
        assert found[0].startswith(f"{claim_id}: ")
        assert said in found[0]

    def test_name_a_claim_that_was_never_run(self) -> None:
        found = find_disagreements(OUTCOMES[1:], EXPECTED, evidence_of())

        assert "CLM-1001: it was never run" in found

    def test_name_a_passenger_who_was_not_told(self) -> None:
        evidence = evidence_of()
        del evidence.mail["by_claim"]["CLM-1007"]

        assert find_disagreements(OUTCOMES, EXPECTED, evidence) == ["CLM-1007: the messages sent is 0, expected 1"]


class TestModel:
    """`choose_model` by the environment."""

    def test_is_scripted_when_nothing_is_set(self) -> None:
        model = choose_model({})

        assert (model.name, model.shown) == ("scripted/claim-reviewer", "scripted model")
        assert json.loads(model.environment["STANDFAST_SCRIPTS"])["claim-reviewer"].endswith("claim-reviewer.yaml")

    @pytest.mark.parametrize("setting", ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "STANDFAST_COMPATIBLE_BASE_URL"])
    def test_is_the_vendors_when_its_setting_is_there(self, setting: str) -> None:
        model = choose_model({setting: "x"})

        assert not model.scripted
        assert setting.lower().removeprefix("standfast_").startswith(model.name.split("/")[0])
        assert list(json.loads(model.environment["STANDFAST_SCRIPTS"])) == [
            "careless-clerk"
        ]  # the injected letter's, whose clerk is always scripted

    def test_is_the_one_that_is_named(self) -> None:
        assert choose_model({"OPENAI_API_KEY": "x", "STANDFAST_DEMO_MODEL": "openai/other"}).name == "openai/other"

    def test_costs_nothing_on_a_compatible_server_without_a_price(self) -> None:
        model = choose_model({"STANDFAST_COMPATIBLE_BASE_URL": "http://127.0.0.1:1/v1", "STANDFAST_DEMO_MODEL": "compatible/small"})

        assert json.loads(model.environment["STANDFAST_PRICES"]) == {"compatible/small": [0, 0]}
