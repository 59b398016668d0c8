"""The journal's SQL functions with one bug each, as JOURNAL §1 and §2 name them."""

from typing import NamedTuple

import psycopg


class PlantedBug(NamedTuple):
    """A bug: in this function, this text becomes that."""

    function: str
    right: str
    wrong: str


NO_DIGEST = PlantedBug("intent_choice", "p_row.digest <> p_digest", "false")
NO_LEASE_WAIT = PlantedBug("intent_choice", "p_row.lease_until > p_now", "false")
OUTCOME_WITHOUT_TOKEN = PlantedBug("outcome_choice", "p_row.lease_token = p_token", "true")
SWALLOWED_FACT_CONFLICT = PlantedBug("journal_open", "v_known IS DISTINCT FROM f_digests[i]", "false")
SWALLOWED_FACT_GAP = PlantedBug("journal_open", "f_seqs[i] = v_new + 1", "true")
OLDER_PROJECTION_WINS = PlantedBug(
    "journal_flush", "(p_epoch, p_fact_seq) >= (v_open.projection_epoch, v_open.projection_fact_seq)", "true"
)
STALE_EPOCH_ACCEPTED = PlantedBug("journal_open", "p_epoch < v_epoch", "false")
AT_MOST_ONCE_REPEATED = PlantedBug("intent_choice", "p_row.retry_class = 'idempotent' AND p_retry = 'idempotent'", "true")
BUDGET_READ_THEN_WRITE = PlantedBug(
    "budget_hold",
    "AND (a.hard IS NULL OR a.reserved + a.spent + a.settled + p_amount <= a.hard)",
    "AND (SELECT x.hard IS NULL OR x.reserved + x.spent + x.settled + p_amount <= x.hard FROM allowances x"
    " WHERE x.tenant_id = p_tenant AND x.run = p_run AND x.step = '' AND x.unit = p_unit)",
)
BUDGET_HOARDED = PlantedBug("budget_sweep", "AND a.allowance > 0 AND", "AND false AND")
BUDGET_WITHOUT_LEASE = PlantedBug("budget_leaks", "e.lease_until < clock_timestamp()", "false")


def plant(owner_url: str, bug: PlantedBug) -> None:
    """Replace a function of a migrated database by its variant.

    Raises:
        LookupError: the function no longer holds the text; correct the bug.
    """
    with psycopg.connect(owner_url) as connection:
        row = connection.execute("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = %s", [bug.function]).fetchone()
        source: str = "" if row is None else row[0]
        if source.count(bug.right) != 1:
            raise LookupError(f"{bug.function} does not hold {bug.right!r} once")
        connection.execute(source.replace(bug.right, bug.wrong).encode())
