"""A ledger row changed by hand in PostgreSQL, as a superuser can: verification names it."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

import psycopg
import pytest

from cli.exit_codes import ExitCode
from tests.faults.payout import ROOT, Payouts


@contextmanager
def changed_as_superuser(payouts: Payouts, statement: str, run: str) -> Generator[None]:
    """Run one statement past the append-only trigger; afterwards the run's entries are as they were, since other tests share the log."""
    with psycopg.connect(payouts.stack.dev["database_owner_url"], autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("CREATE TEMP TABLE kept AS SELECT * FROM ledger_entries WHERE run = %s", [run])
        assert connection.execute(statement.encode(), [run]).rowcount == 1
        try:
            yield
        finally:
            with connection.transaction():
                connection.execute("DELETE FROM ledger_entries WHERE run = %s", [run])
                connection.execute("INSERT INTO ledger_entries SELECT * FROM kept")


def standfast(payouts: Payouts, *words: str, role: str) -> "subprocess.CompletedProcess[str]":
    """Run the command line with a role's key, as a person would."""
    dev = payouts.stack.dev
    environment = {**os.environ, "STANDFAST_URL": dev["gateway_url"], "STANDFAST_API_KEY": dev["api_keys"][role]}
    argv = [sys.executable, "-m", "cli.main", *words]
    return subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.timeout(120)
class TestRowChangedByHand:
    @pytest.mark.parametrize(
        ("statement", "seq"),
        [
            (
                "UPDATE ledger_entries SET body = overlay(body placing 'x'::bytea from 9 for 1) WHERE run = %s AND seq = 5",
                5,
            ),
            ("UPDATE ledger_entries SET principal = 'prn_00000000000000000000000000' WHERE run = %s AND seq = 3", 3),
            ("DELETE FROM ledger_entries WHERE run = %s AND seq = 4", 4),
        ],
    )
    def test_is_found_and_named(self, payouts: Payouts, statement: str, seq: int) -> None:
        run = payouts.start(f"row-{seq}")
        payouts.end(run)
        payouts.sealed(run)  # or the sealer meets the changed row, refuses it, and the log of the other tests stands still
        assert payouts.verified(run)["ok"]
        with changed_as_superuser(payouts, statement, run):
            verdict = payouts.verified(run)
            recomputed = standfast(payouts, "verify", run, role="auditor")
        assert not verdict["ok"]
        assert verdict["broken"]["seq"] == seq
        assert recomputed.returncode == ExitCode.NOT_VERIFIED, recomputed.stderr
        assert f"NOT VERIFIED: entry {seq} of {run} is wrong" in recomputed.stdout
        assert payouts.verified(run)["ok"], "put back as it was"
