"""kill -9 of the worker, and of its sealer with it: another takes the lease over, no entry stays unsealed, and the log is one log."""

import pytest

from standfast_verify import Report, bundle_of, verify_bundle
from standfast_verify.bundle import head_of, key_of
from tests.examples.running_service import wait_until
from tests.faults.payout import Payouts

SEALED_SECONDS_MAX = 60
"""The longest an entry may wait for its seal (DESIGN §6), also while the lease of a dead sealer runs out."""


def audited(payouts: Payouts, *remembered: dict[str, object]) -> Report:
    """Download the whole ledger and check it against the keys and remembered heads."""
    with payouts.stack.api("auditor") as api:
        keys = [key_of(key, "key") for key in api.get("/v1/ledger/keys").json()["public_keys"]]
        content = api.get("/v1/ledger/bundle").json()
    heads = [head_of(head, "head") for head in remembered]
    return verify_bundle(bundle_of(content), trusted={key.key_id: key for key in keys}, remembered=heads)


@pytest.mark.timeout(300)
class TestSealerKilled:
    def test_is_taken_over_within_a_minute_and_the_log_goes_on(self, payouts: Payouts) -> None:
        run = payouts.start("sealed-before")
        payouts.end(run)
        wait_until(lambda: audited(payouts).sealed > 0, seconds_max=SEALED_SECONDS_MAX)
        with payouts.stack.api("auditor") as api:
            before = api.get("/v1/ledger/heads", params={"limit": 1}).json()["items"][0]
        for number in range(3):
            payouts.stack.kill("worker")
            payouts.end(payouts.start(f"sealed-after-{number}"))

        def is_sealed() -> bool:
            report = audited(payouts, before)
            assert report.problems == []
            return report.sealed == report.entries > before["tree_size"]

        wait_until(is_sealed, seconds_max=SEALED_SECONDS_MAX)
