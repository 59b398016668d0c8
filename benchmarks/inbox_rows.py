"""Fills an inbox with approvals as workers write them, sealed one by one, in statements of a thousand."""

import asyncio
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import JsonValue

from adapters.codec.cipher import TenantCipher
from adapters.postgres.pool import Database
from adapters.postgres.projections import approval_place, comment_place
from adapters.postgres.sealing import seal_text
from adapters.postgres.subject_ciphers import SubjectCiphers
from adapters.postgres.vault import Vault
from domain.stores import NewRun, PayloadCipher
from wiring.keys import new_id
from wiring.storage import Storage

TENANT = "default"
ROLES, DEFINITIONS, TOOLS, PEOPLE = 20, 50, 30, 400
BATCH = 1000
OPEN_SHARE = 0.6
START = datetime(2026, 3, 1, tzinfo=UTC)

_APPROVALS = b"""
INSERT INTO approvals (tenant_id, approval, run, definition, step, visit, state, digest, reviewer_role, exclude_requester, requester,
    opened_at, deadline, sealed, decision_id, decided_by, decided_at, comment_sealed, reviewer_roles, assignee)
SELECT %(tenant)s, r.approval, r.run, r.definition, 'gate', 1, r.state, repeat('d', 64), r.role, true, r.requester, r.opened_at, r.deadline,
    r.sealed, r.decision, r.decider, CASE WHEN r.decider IS NOT NULL THEN r.opened_at + interval '1 hour' END, r.comment, ARRAY[r.role],
    r.assignee
FROM unnest(%(approval)s::text[], %(run)s::text[], %(definition)s::text[], %(state)s::text[], %(role)s::text[], %(requester)s::text[],
    %(opened_at)s::timestamptz[], %(deadline)s::timestamptz[], %(sealed)s::bytea[], %(decision)s::text[], %(decider)s::text[],
    %(comment)s::bytea[], %(assignee)s::text[])
    AS r(approval, run, definition, state, role, requester, opened_at, deadline, sealed, decision, decider, comment, assignee)
"""
_TOOLS = b"""
INSERT INTO approval_facets (tenant_id, approval, facet, value, state, due, opened_at)
SELECT a.tenant_id, a.approval, f.facet, f.value, a.state, a.due, a.opened_at
FROM unnest(%(approval)s::text[], %(tool)s::text[], %(decider)s::text[]) AS r(approval, tool, decider)
JOIN approvals a ON a.tenant_id = %(tenant)s AND a.approval = r.approval
CROSS JOIN LATERAL (VALUES ('tool', r.tool), ('decider', r.decider)) AS f(facet, value) WHERE f.value IS NOT NULL
"""


@dataclass(frozen=True)
class Filled:
    """What stands in the inbox."""

    approvals: int
    runs: int


async def fill(storage: Storage, cipher: TenantCipher, *, approvals: int, runs: int) -> Filled:
    """Accept runs and write approvals over them; the same numbers give the same inbox."""
    names = [new_id("run") for _ in range(runs)]
    for place in range(0, runs, 16):
        await asyncio.gather(*(storage.runs.accept(_run(name)) for name in names[place : place + 16]))
    ciphers = Vault(SubjectCiphers(storage.database, cipher)).ciphers
    sealers = {name: await ciphers.of_run(TENANT, name) for name in names}
    rng = random.Random(7)
    for first in range(0, approvals, BATCH):
        numbers = range(first, min(first + BATCH, approvals))
        await _write(storage.database, [_row(number, names[number % runs], sealers, rng) for number in numbers])
    async with storage.database.platform() as tx:
        await tx.execute("SELECT 1")
    return Filled(approvals, runs)


def _run(name: str) -> NewRun:
    return NewRun(
        tenant=TENANT,
        run=name,
        definition="bench",
        version="1.0.0",
        definition_sha256="0" * 64,
        principal="prn_bench",
        correlation_id=name,
        fingerprint="0" * 64,
        input={},
        config={},
        expression_engine="cel",
    )


def _row(number: int, run: str, sealers: dict[str, PayloadCipher], rng: random.Random) -> dict[str, object]:
    name, is_open = f"apr_{number:026d}", rng.random() < OPEN_SHARE
    tool, opened = f"tool-{rng.randrange(TOOLS)}", START + timedelta(seconds=37 * number)
    call: dict[str, JsonValue] = {
        "step": "settle.pay",
        "tool": tool,
        "version": "1.0.0",
        "arguments": {"amount": number, "recipient": "DE00", "note": "n" * 80},
    }
    hidden: dict[str, JsonValue] = {
        "title": f"Pay {number} to somebody?",
        "nonce": "n" * 32,
        "calls": [call],
        "unbound": [],
        "events": [],
        "form": None,
    }
    decider = None if is_open else f"prn_{rng.randrange(PEOPLE)}"
    return {
        "approval": name,
        "run": run,
        "definition": f"definition-{rng.randrange(DEFINITIONS)}",
        "state": "open" if is_open else rng.choice(["approved", "rejected"]),
        "role": f"role-{min(int(rng.expovariate(0.3)), ROLES - 1)}",
        "requester": f"prn_{rng.randrange(PEOPLE)}",
        "opened_at": opened,
        "deadline": None if rng.random() < 0.1 else opened + timedelta(hours=rng.randrange(1, 72)),
        "sealed": seal_text(sealers[run], TENANT, approval_place(name), hidden),
        "decision": None if is_open else f"dec_{number:026d}",
        "decider": decider,
        "comment": None if is_open else seal_text(sealers[run], TENANT, comment_place("approvals", name), "fair"),
        "assignee": f"prn_{rng.randrange(PEOPLE)}" if rng.random() < 0.2 else None,
        "tool": tool,
    }


async def _write(database: Database, rows: list[dict[str, object]]) -> None:
    columns: dict[str, object] = {name: [row[name] for row in rows] for name in rows[0]}
    async with database.tenant(TENANT) as tx:
        await tx.execute(_APPROVALS, {**columns, "tenant": TENANT})
        await tx.execute(_TOOLS, {**columns, "tenant": TENANT})
