"""kill -9 of the worker in the middle of a segment: every step happens once, whoever goes on (JOURNAL §12)."""

from pathlib import Path

import pytest

from tests.faults.payout import Payouts, payout_bundle
from tests.faults.test_worker_killed import fired

KEEP = """\
standfast: 1
name: keep
version: 1.0.0
execution: segment
input: {schema: {type: object, required: [claim], properties: {claim: {type: string}}}}
do:
"""

STEP = """\
  - {step}:
      call: bank.reserve
      with: {{reservation_id: "{step}-${{ input.claim }}", claim_id: "${{ input.claim }}", amount_micros: 1000, currency: USD}}
"""

STEPS = ("one", "two", "three", "four")

POINTS = ("after-effect one call", "after-outcome two call", "after-intent three call")
"""Each ends the worker once, so that the fourth attempt of the segment only collects, and the third step goes on alone."""


@pytest.mark.timeout(300)
class TestWorkerKilledInASegment:
    def test_reserves_once_per_step_and_finishes(self, payouts: Payouts, fault_file: Path) -> None:
        files = payout_bundle(payouts.bank.url, payouts.mail.url)
        tool = files["tools/bank-reserve.yaml"].replace("heartbeat_s: 1", "")
        definition = KEEP + "".join(STEP.format(step=step) for step in STEPS) + 'output: "${ steps.four.output.reservation_id }"\n'
        with payouts.stack.api("developer") as api:
            answer = api.post("/v1/definitions", json={"files": {"keep.yaml": definition, "tools/bank-reserve.yaml": tool}})
            assert answer.status_code == 201, answer.text
        fault_file.write_text("".join(f"{line}\n" for line in POINTS), encoding="utf-8")
        run = payouts.start("kept", definition="keep")
        outcome = payouts.end(run)
        assert set(POINTS) <= set(fired(fault_file)), "every declared fault must fire"
        assert (outcome["status"], outcome["result"]) == ("succeeded", "four-kept")
        assert payouts.verified(run)["ok"]
        books = payouts.bank.get("/summary")
        assert books["effects_per_key_max"] == 1
        kept = [effect for effect in payouts.bank.get("/log")["effects"] if effect.get("claim_id") == "kept"]
        assert len(kept) == len(STEPS)
        with payouts.stack.api("viewer") as api:
            trace = api.get(f"/v1/runs/{run}/trace").json()
        assert [(effect["step"], effect["state"]) for effect in trace["effects"]] == [(step, "done") for step in STEPS]
