"""kill -9 at every attempt that an activity has: the last one is lost as well, and the call is made again under the same key."""

from pathlib import Path

import pytest

from activities.options import SPARE_ATTEMPTS
from tests.faults.payout import PAYOUT, Payouts, payout_bundle
from tests.faults.test_worker_killed import fired

ONCE = PAYOUT.replace("name: payout", "name: payout-once").replace(
    "call: bank.pay\n", "call: bank.pay\n            retry: {max_attempts: 1, delay: 100ms, max_delay: 1s}\n"
)
"""The same saga; the payment has one try of its own, and those beyond it that are meant for lost workers."""

KILLS = ["after-effect settle.pay call"] * (1 + SPARE_ATTEMPTS)


@pytest.mark.timeout(400)
class TestLastAttemptKilled:
    def test_pays_once_and_finishes(self, payouts: Payouts, fault_file: Path) -> None:
        with payouts.stack.api("developer") as api:
            files = {**payout_bundle(payouts.bank.url, payouts.mail.url), "payout.yaml": ONCE}
            answer = api.post("/v1/definitions", json={"files": files})
            assert answer.status_code == 201, answer.text
        fault_file.write_text("".join(f"{line}\n" for line in KILLS), encoding="utf-8")
        before = len(fired(fault_file))
        run = payouts.start("last-1", definition="payout-once")
        assert payouts.end(run, seconds_max=380)["status"] == "succeeded"
        assert fired(fault_file)[before:] == KILLS, "every attempt of the activity was lost"
        books = payouts.bank.get("/summary")
        assert books["by_claim"]["last-1"]["payments"] == 1
        assert books["effects_per_key_max"] == 1
        assert payouts.verified(run)["ok"]
