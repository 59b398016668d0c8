"""Every bug that a scenario can be run with (`--plant NAME`), and which scenario must catch it (PROOF H5)."""

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from tests.faults.planted import journal_sql
from tests.faults.planted.journal_sql import PlantedBug

WORKER_PLANT = "STANDFAST_TEST_PLANT"
"""Names the bug to a worker of the harness."""


@dataclass(frozen=True)
class Plant:
    """One bug: a changed SQL function, statements to run, or a variant that the harness's worker builds.

    Attributes:
        says: What is wrong with it.
        scenario: The scenario that must catch it.
        sql: Functions to change.
        statements: Run as the superuser.
        part: The part that is a variant: `worker` or `gateway`; empty for none.
        machine: Of S16: the machine that must catch it.
        also: Other scenarios that must catch it.
    """

    says: str
    scenario: str
    sql: tuple[PlantedBug, ...] = ()
    statements: tuple[str, ...] = ()
    part: str = ""
    machine: str = ""
    also: tuple[str, ...] = ()


PLANTS: dict[str, Plant] = {
    "key-per-attempt": Plant("each attempt hands its own Idempotency-Key outside", "S1", part="worker", also=("S2",)),
    "late-compensation": Plant("a compensation is registered when its step is done, not before it begins", "S1", part="worker"),
    "ack-before-commit": Plant(
        "PostgreSQL acknowledges a commit before it is written",
        "S4",
        statements=("ALTER DATABASE standfast SET synchronous_commit = off", "ALTER SYSTEM SET wal_writer_delay = '10s'"),
    ),
    "forgotten-key": Plant("a restarted gateway derives other run ids from the same Idempotency-Keys", "S5", part="gateway"),
    "unnoted-votes": Plant("a decision that leaves its approval open is taken, and no fact says so", "S14", part="worker"),
    "decision-anew": Plant("the gateway sends a stored decision under a new id each time", "S14", part="gateway"),
    "webhook-without-row": Plant(
        "a webhook is known again by the derived id of its run alone, and a restarted gateway derives others",
        "S9",
        statements=("ALTER TABLE hook_requests DROP CONSTRAINT hook_requests_pkey", "DROP INDEX hook_requests_by_content"),
        part="gateway",
    ),
    "unlocked-chain": Plant(
        "appends read the chain's head without the run's row lock",
        "S16",
        sql=(PlantedBug("append_entry", " FOR NO KEY UPDATE", ""),),
        machine="ledger",
    ),
    "blind-verifier": Plant("verification makes hashes from what is stored instead of comparing them with it", "S16", machine="ledger"),
    "swallowed-conflict": Plant(
        "a fact that comes again with other content is taken for the same",
        "S16",
        sql=(journal_sql.SWALLOWED_FACT_CONFLICT,),
        machine="facts",
    ),
    "swallowed-gap": Plant("facts are taken with a gap", "S16", sql=(journal_sql.SWALLOWED_FACT_GAP,), machine="facts"),
    "stale-epoch": Plant("a carrier of an earlier epoch is taken", "S16", sql=(journal_sql.STALE_EPOCH_ACCEPTED,), machine="facts"),
    "fact-once": Plant("a fact rides on the next activity only, whether it arrives or not", "S16", machine="facts"),
    "speculative-flush": Plant("facts are flushed before the workflow task that noted them completes", "S16", machine="facts"),
    "unwind-forward": Plant("compensations run in the order of the steps", "S16", machine="saga"),
    "undo-never-began": Plant("branches of a parallel saga are undone that never began", "S16", machine="saga"),
    "budget-read-then-write": Plant(
        "a reservation compares what it read before with the limit, not what it writes to",
        "S15",
        sql=(journal_sql.BUDGET_READ_THEN_WRITE,),
    ),
    "budget-hoarded": Plant(
        "what runs were granted and do not use stays with them", "S16", sql=(journal_sql.BUDGET_HOARDED,), machine="budgets"
    ),
    "budget-without-lease": Plant("a dead attempt's reservation never comes back", "S15", sql=(journal_sql.BUDGET_WITHOUT_LEASE,)),
    "registered-late": Plant("the saga's machine: a compensation is registered when its step is done", "S16", machine="saga"),
}


def plant_sql(name: str | None, owner_url: str) -> None:
    """Plant what a bug changes in a migrated database."""
    if name is None:
        return
    for bug in PLANTS[name].sql:
        journal_sql.plant(owner_url, bug)
    with psycopg.connect(owner_url, autocommit=True) as connection:
        for statement in PLANTS[name].statements:
            connection.execute(statement.encode())
        connection.execute(b"SELECT pg_reload_conf()")


def module_of(part: str, name: str | None) -> str:
    """Return the module to run for a part: the product's, or the harness's when the bug is in that part."""
    return f"tests.faults.harness.{part}" if name is not None and PLANTS[name].part == part else "cli.main"


def environment_of(name: str | None) -> Mapping[str, str]:
    """Return the variables that tell a worker of the harness which variant it is."""
    return {} if name is None else {WORKER_PLANT: name}
