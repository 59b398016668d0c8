"""What a person wrote, or a program said about a person, stands nowhere in the database in plain text."""

import json

import psycopg
import pytest
from psycopg import sql

from adapters.postgres.payloads import PostgresPayloadStore
from adapters.postgres.pool import Database
from domain.effects import EffectState
from domain.ledger import Kind
from domain.runs import ApprovalClosure, Projection, RunStatus, TaskClosure
from tests.adapters.postgres.databases import MigratedServer
from tests.contracts.journal_bench import AT, RUN, carrier, intent, outcome
from tests.contracts.postgres_bench import PostgresBench
from tests.contracts.test_inbox_stores import approval, decision, task

PERSON = "Ada"
"""Stands in the run's input, the approval's title, the task's detail and the comment of the decision too."""

FAILED = {"code": "tool-failed", "detail": "no account of Ada Lovelace", "retryable": "false"}
REJECTED = {"code": "approval-rejected", "detail": "rejected by prn_b: Ada is right", "step": "gate"}


@pytest.fixture
async def told(db: Database, tenant: str) -> PostgresBench:
    """A run of which every text about a person is stored."""
    bench = await PostgresBench(db, tenant).accept()
    await bench.journal.intent(intent(bench))
    await bench.journal.outcome(outcome(bench, state=EffectState.FAILED, error=FAILED))
    for opened in (Projection(open_approval=approval("apr_1")), Projection(open_task=task("tsk_1"))):
        await bench.journal.flush(carrier(bench), opened, fact_seq=0)
    await bench.approvals.store_decision(decision(tenant))
    closed = ApprovalClosure(approval="apr_1", decision="reject", decided_by="prn_b", comment="Ada is right", decided_at=AT)
    await bench.journal.flush(carrier(bench), Projection(close_approval=closed), fact_seq=0)
    answered = TaskClosure(task="tsk_1", resolution="give_up", completed_by="prn_b", completed_at=AT)
    await bench.journal.flush(carrier(bench), Projection(close_task=answered), fact_seq=0)
    kind = Kind.RUN_CANCEL_REQUESTED
    await bench.runs.append_entry(tenant, RUN, kind=kind, principal="prn_b", at=AT, data={}, content={"reason": "Ada called"})
    await bench.journal.flush(carrier(bench), Projection(status=RunStatus.FAILED, error=REJECTED), fact_seq=0)
    return bench


def stored_text(server: MigratedServer, tenant: str) -> dict[str, str]:
    """Return every row of a tenant as text, by table; bytes are read as Latin-1, which fails on none."""
    with psycopg.connect(server.owner_url) as connection:
        tables = [
            str(name)
            for (name,) in connection.execute(
                "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'tenant_id'"
            )
        ]
        rows = {
            name: connection.execute(sql.SQL("SELECT * FROM {} WHERE tenant_id = %s").format(sql.Identifier(name)), [tenant]).fetchall()
            for name in tables
        }
    return {name: " ".join(_text(value) for row in found for value in row) for name, found in rows.items() if found}


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


class TestPlainColumns:
    async def test_hold_nothing_about_a_person(self, told: PostgresBench, server: MigratedServer) -> None:
        stored = stored_text(server, told.tenant)
        assert {"runs", "effects", "ledger_entries", "approvals", "tasks", "decisions", "payloads"} <= set(stored)
        assert [name for name, text in stored.items() if PERSON in text] == []

    async def test_still_say_the_code_by_which_people_search(self, told: PostgresBench, server: MigratedServer) -> None:
        stored = stored_text(server, told.tenant)
        assert "approval-rejected" in stored["runs"]
        assert "tool-failed" in stored["effects"]


class TestSealedErrors:
    async def test_come_back_as_they_were(self, told: PostgresBench) -> None:
        assert (await told.row()).error == REJECTED
        (effect,) = await told.runs.effects_of(told.tenant, RUN)
        assert effect.error == FAILED
        verdict = await told.journal.intent(intent(told, token="second", attempt=2))
        assert verdict.recorded is not None
        assert verdict.recorded.error == FAILED

    async def test_show_the_code_when_their_key_is_gone(self, told: PostgresBench) -> None:
        told.cipher.erased.add(told.tenant)
        assert (await told.row()).error == {"code": "approval-rejected", "step": "gate", "detail": "(erased)"}

    async def test_are_bound_to_their_row(self, told: PostgresBench, server: MigratedServer) -> None:
        with psycopg.connect(server.owner_url) as owner:
            owner.execute(
                "UPDATE runs SET error = (SELECT error FROM effects WHERE tenant_id = %(t)s AND run = %(r)s) WHERE tenant_id = %(t)s",
                {"t": told.tenant, "r": RUN},
            )
        assert (await told.row()).error == {"code": "tool-failed", "retryable": "false", "detail": "(erased)"}


class TestContentOfAnEntry:
    async def test_is_a_payload_that_the_entry_names(self, told: PostgresBench, db: Database) -> None:
        entry = next(e for e in await told.entries() if e.kind == Kind.RUN_CANCEL_REQUESTED)
        assert entry.payload_digest is not None
        ref = json.loads(entry.body)["data"]["payload"]
        assert await PostgresPayloadStore(db, told.cipher).get(told.tenant, ref) == {"reason": "Ada called"}
        assert (await told.verification()).ok
