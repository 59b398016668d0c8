"""A part dies in mid-run, or is not there at the start: runs go on, keys stay single, and the screen says what to do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.running_service import wait_until
from tests.faults.payout import ROOT, Payouts


@pytest.mark.timeout(240)
class TestPartKilledInMidRun:
    @pytest.mark.parametrize("part", ["postgres", "temporal", "gateway"])
    def test_the_run_finishes_when_the_part_is_back(self, payouts: Payouts, part: str) -> None:
        claim = f"down-{part}"
        payouts.bank.arm(route="payments", mode="hold", count=1, match={"claim_id": claim})
        run = payouts.start(claim)
        wait_until(lambda: bool(payouts.bank.holding()))
        payouts.stack.kill(part)
        payouts.bank.release()
        assert payouts.end(run)["status"] == "succeeded"
        assert payouts.bank.get("/summary")["by_claim"][claim]["payments"] == 1
        assert payouts.verified(run)["ok"]

    def test_a_start_repeated_over_a_killed_gateway_is_one_run(self, payouts: Payouts) -> None:
        payouts.bank.arm(route="payments", mode="hold", count=1, match={"claim_id": "twice-1"})
        first = payouts.start("twice-1")
        payouts.stack.kill("gateway")
        assert payouts.start("twice-1") == first
        payouts.bank.release()
        payouts.bank.disarm()
        assert payouts.end(first)["status"] == "succeeded"
        assert payouts.bank.get("/summary")["by_claim"]["twice-1"]["payments"] == 1


@pytest.mark.timeout(120)
class TestBankThatTimesOutAfterItHasPaid:
    def test_is_asked_again_under_the_same_key_and_pays_once(self, payouts: Payouts) -> None:
        payouts.bank.arm(route="payments", mode="timeout_after_apply", count=1, match={"claim_id": "late-1"})
        run = payouts.start("late-1")
        assert payouts.end(run)["status"] == "succeeded"
        books = payouts.bank.get("/summary")
        assert books["by_claim"]["late-1"]["payments"] == 1
        assert books["faults_fired"]


class TestPartMissingAtTheStart:
    @pytest.mark.parametrize(
        ("given", "code", "said"),
        [
            ({}, 2, "DATABASE_URL is not set"),
            ({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}, 6, "DATABASE_URL"),
        ],
    )
    def test_the_worker_says_what_to_set_and_ends(self, given: dict[str, str], code: int, said: str, tmp_path: Path) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_", "TEMPORAL_", "STANDFAST_"))}
        environment = {**clean, "STANDFAST_STATE_DIR": str(tmp_path), "STANDFAST_LOG_FORMAT": "json", **given}
        ended = subprocess.run(
            [sys.executable, "worker.py"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode == code, ended.stderr
        assert said in ended.stderr

    def test_the_worker_says_that_no_temporal_server_answers(self, payouts: Payouts, tmp_path: Path) -> None:
        given = {"DATABASE_URL": payouts.stack.dev["database_url"], "TEMPORAL_ADDRESS": "127.0.0.1:1", "STANDFAST_STATE_DIR": str(tmp_path)}
        environment = {**os.environ, "STANDFAST_LOG_FORMAT": "json", **given}
        ended = subprocess.run(
            [sys.executable, "worker.py"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=90, check=False
        )
        assert ended.returncode == 6, ended.stderr
        assert "TEMPORAL_ADDRESS" in ended.stderr
