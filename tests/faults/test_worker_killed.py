"""kill -9 of the worker at each step of a saga and of its undoing: nothing is lost, nothing happens twice (PROOF S2)."""

from pathlib import Path

import pytest

from tests.examples.running_service import wait_until
from tests.faults.payout import Payouts

FORWARD = (
    "after-effect settle.reserve call",
    "before-intent settle.pay call",
    "after-intent settle.pay call",
    "after-effect settle.pay call",
    "after-outcome settle.pay call",
    "after-effect settle.notify call",
)
BACKWARD = ("after-effect settle.pay compensate", "after-intent settle.reserve compensate", "after-outcome settle.reserve compensate")
"""The points between which something could happen twice; each ends the worker once."""


def fired(fault_file: Path) -> list[str]:
    """Return the fault points at which a worker ended."""
    place = Path(f"{fault_file}.fired")
    return place.read_text(encoding="utf-8").splitlines() if place.exists() else []


@pytest.mark.timeout(300)
class TestWorkerKilled:
    def test_pays_once_and_finishes_when_killed_at_each_step(self, payouts: Payouts, fault_file: Path) -> None:
        fault_file.write_text("".join(f"{line}\n" for line in FORWARD), encoding="utf-8")
        runs = {f"fwd-{n}": payouts.start(f"fwd-{n}") for n in range(3)}
        outcomes = {claim: payouts.end(run) for claim, run in runs.items()}
        assert set(FORWARD) <= set(fired(fault_file)), "every declared fault must fire"
        assert {outcome["status"] for outcome in outcomes.values()} == {"succeeded"}
        books = payouts.bank.get("/summary")
        for claim, run in runs.items():
            assert books["by_claim"][claim]["payments"] == 1
            assert books["by_claim"][claim]["refunds"] == 0
            assert payouts.mail.get("/summary")["by_claim"][claim] == 1
            assert payouts.verified(run)["ok"]
        assert books["paid_more_than_once"] == []
        assert books["effects_per_key_max"] == 1
        assert books["balanced"]

    def test_undoes_everything_when_killed_at_each_compensation(self, payouts: Payouts, fault_file: Path) -> None:
        payouts.mail.arm(route="messages", mode="refuse", count=50, match={})
        fault_file.write_text("".join(f"{line}\n" for line in BACKWARD), encoding="utf-8")
        runs = {f"bwd-{n}": payouts.start(f"bwd-{n}") for n in range(2)}
        outcomes = {claim: payouts.end(run) for claim, run in runs.items()}
        assert set(BACKWARD) <= set(fired(fault_file)), "every declared fault must fire"
        assert {outcome["status"] for outcome in outcomes.values()} == {"failed"}
        books = payouts.bank.get("/summary")
        for claim, run in runs.items():
            assert books["by_claim"][claim]["net_paid_micros"] == 0
            assert books["by_claim"][claim]["payments"] == books["by_claim"][claim]["refunds"] == 1
            assert payouts.verified(run)["ok"]
        assert books["balanced"]

    def test_another_worker_goes_on_while_the_bank_still_holds_the_first_call(self, payouts: Payouts) -> None:
        payouts.bank.arm(route="payments", mode="hold", count=1, match={"claim_id": "held-1"})
        run = payouts.start("held-1")
        wait_until(lambda: bool(payouts.bank.holding()))
        payouts.stack.kill("worker")
        assert payouts.end(run)["status"] == "succeeded"
        payouts.bank.release()
        assert payouts.bank.get("/summary")["by_claim"]["held-1"]["payments"] == 1
