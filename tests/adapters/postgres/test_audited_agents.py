"""Revision 0024: the audit's rows name the registered agent that asked, those of calls from before too, and going back leaves the rest."""

import json

import psycopg

from adapters.postgres.migrate import downgrade, migrate
from tests.adapters.postgres.databases import Servers, new_database

_ENTRY = b"""
INSERT INTO ledger_entries (tenant_id, run, seq, recorded_at, prev, hash, body, kind, principal, epoch, step)
VALUES (%(tenant)s, 'run_a', %(seq)s, now(), %(hash)s, %(hash)s, %(body)s, 'agent:tool:called', 'prn_a', 1, 'judge')
"""


def enter(url: str, seq: int, *, tenant: str = "t", **data: str) -> None:
    """Append an entry about a call."""
    body = json.dumps({"call": "1.0", "data": {"subject": "bank.pay@1.0.0", "agent": "claims/judge", **data}}).encode()
    with psycopg.connect(url) as connection:
        connection.execute(_ENTRY, {"tenant": tenant, "seq": seq, "hash": b"\1" * 32, "body": body})


def named(url: str) -> list[tuple[str, int, str | None]]:
    """Return which registered agent each audited call is of."""
    with psycopg.connect(url) as connection:
        return connection.execute(b"SELECT tenant_id, seq, registered FROM tool_calls ORDER BY 1, 2").fetchall()


def test_names_the_agents_of_calls_before_and_after_it(servers: Servers) -> None:
    url = new_database(servers.get("embedded 18").owner_url)
    migrate(url, revision="0023")
    enter(url, 1, registered="reviewer")
    enter(url, 2)
    enter(url, 3, registered="reviewer", note="a\0b")
    enter(url, 1, tenant="u", registered="writer")
    migrate(url)
    enter(url, 4, registered="reviewer")
    enter(url, 5, registered="a\0b")
    assert named(url) == [("t", 1, "reviewer"), ("t", 2, None), ("t", 3, None), ("t", 4, "reviewer"), ("t", 5, None), ("u", 1, "writer")]
    downgrade(url, "0023")
    enter(url, 6, registered="reviewer")
    migrate(url)
    assert [seq for tenant, seq, name in named(url) if (tenant, name) == ("t", "reviewer")] == [1, 4, 6]
