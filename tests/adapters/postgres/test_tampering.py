"""A ledger changed by hand, past every guard, is found by whoever recomputes it (DESIGN §15)."""

from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from adapters.postgres.pool import Database
from domain.ledger import Kind
from domain.runs import Projection, RunStatus
from tests.adapters.postgres.databases import MigratedServer
from tests.contracts.journal_bench import RUN, carrier, fact, intent, outcome
from tests.contracts.postgres_bench import PostgresBench

OF_RUN = sql.SQL("tenant_id = %(tenant)s AND run = %(run)s")
VICTIM = 3
"""The sequence that is changed: `agent:tool:requested`, with a step, an epoch and a payload digest."""

COLUMN_CHANGES: dict[LiteralString, LiteralString] = {
    "recorded_at": "recorded_at + interval '1 microsecond'",
    "prev": "sha256(prev)",
    "hash": "sha256(hash)",
    "body": "convert_to(replace(convert_from(body, 'UTF8'), 'money', 'none'), 'UTF8')",
    "kind": "'agent:tool:called'",
    "principal": "'prn_x'",
    "epoch": "epoch + 1",
    "fact_seq": "7",
    "step": "'settle.reserve'",
    "payload_digest": "repeat('0', 64)",
}


@pytest.fixture
async def ended(db: Database, tenant: str) -> PostgresBench:
    """A finished run of six entries."""
    bench = await PostgresBench(db, tenant).accept()
    await bench.journal.intent(intent(bench, fact(1)))
    await bench.journal.outcome(outcome(bench, output={"paid": 80}))
    finished = fact(3, kind=Kind.RUN_FINISHED, facts=3)
    await bench.journal.flush(carrier(bench, fact(2), finished), Projection(status=RunStatus.SUCCEEDED), fact_seq=3)
    assert len(await bench.entries()) == 6
    return bench


def tamper(server: MigratedServer, tenant: str, statement: LiteralString, **parts: LiteralString | int) -> None:
    """Change rows as a superuser who has switched the triggers off; `{of_run}` names those of RUN."""
    texts = {name: sql.SQL(part) if isinstance(part, str) else sql.Literal(part) for name, part in parts.items()}
    with psycopg.connect(server.owner_url) as connection:
        connection.execute("SET session_replication_role = replica")
        changed = connection.execute(sql.SQL(statement).format(of_run=OF_RUN, **texts), {"tenant": tenant, "run": RUN}).rowcount
        assert changed > 0


class TestVerification:
    async def test_holds_for_an_untouched_run(self, ended: PostgresBench) -> None:
        assert (await ended.verification()).ok

    @pytest.mark.parametrize("column", COLUMN_CHANGES)
    async def test_names_an_entry_with_a_changed_column(self, ended: PostgresBench, server: MigratedServer, column: LiteralString) -> None:
        change: LiteralString = "UPDATE ledger_entries SET {column} = {value} WHERE {of_run} AND seq = {victim}"
        tamper(server, ended.tenant, change, column=column, value=COLUMN_CHANGES[column], victim=VICTIM)
        broken = (await ended.verification()).broken
        assert broken is not None
        assert broken.seq == VICTIM

    async def test_names_a_deleted_entry(self, ended: PostgresBench, server: MigratedServer) -> None:
        tamper(server, ended.tenant, "DELETE FROM ledger_entries WHERE {of_run} AND seq = {victim}", victim=VICTIM)
        broken = (await ended.verification()).broken
        assert broken is not None
        assert (broken.seq, "missing" in broken.reason) == (VICTIM, True)

    async def test_names_the_first_of_two_exchanged_entries(self, ended: PostgresBench, server: MigratedServer) -> None:
        for old, new in ((3, -1), (4, 3), (-1, 4)):
            change: LiteralString = "UPDATE ledger_entries SET seq = {new} WHERE {of_run} AND seq = {old}"
            tamper(server, ended.tenant, change, old=old, new=new)
        broken = (await ended.verification()).broken
        assert broken is not None
        assert broken.seq == VICTIM

    async def test_names_a_cut_off_tail(self, ended: PostgresBench, server: MigratedServer) -> None:
        tamper(server, ended.tenant, "DELETE FROM ledger_entries WHERE {of_run} AND seq > 4")
        broken = (await ended.verification()).broken
        assert broken is not None
        assert broken.seq == 5

    async def test_names_an_appended_forgery(self, ended: PostgresBench, server: MigratedServer) -> None:
        copied: LiteralString = (
            "tenant_id, run, 7, recorded_at, hash, hash, body, kind, principal, epoch, 4, step, payload_digest, fact_digest"
        )
        tamper(
            server, ended.tenant, "INSERT INTO ledger_entries SELECT {copied} FROM ledger_entries WHERE {of_run} AND seq = 6", copied=copied
        )
        broken = (await ended.verification()).broken
        assert broken is not None
        assert broken.seq == 7
