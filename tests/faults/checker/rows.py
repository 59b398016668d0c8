"""Judges the database against the client's log: what was acknowledged is there, everything ended, nothing is held past its lease."""

import json
from typing import Any

import psycopg

from tests.faults.checker.verdict import Evidence, Verdict

CLOSED = ("succeeded", "failed", "cancelled")
GRACE_S = 5
STUCK = """
SELECT e.run, r.status, e.step, e.call, e.state, e.attempt FROM effects e JOIN runs r ON r.tenant_id = e.tenant_id AND r.run = e.run
WHERE e.state IN ('in_doubt', 'divergent') OR (e.state = 'intent' AND e.lease_until < now() - %s * interval '1 second')
"""


def judge_acknowledged(evidence: Evidence, connection: psycopg.Connection[Any], verdict: Verdict) -> dict[str, str]:
    """Every acknowledged start is one run, every acknowledged definition is stored; returns key → run."""
    stored = {row[0] for row in connection.execute("SELECT run FROM runs").fetchall()}
    versions = {tuple(row) for row in connection.execute("SELECT name, version FROM definition_versions").fetchall()}
    runs: dict[str, str] = {}
    for answer in evidence.acknowledged():
        body = json.loads(answer["body"])
        if answer["path"] in ("/v1/runs", "/hooks") and body["run"] is not None:
            verdict.count("acknowledged starts")
            before = runs.setdefault(answer["key"], body["run"])
            verdict.require(before == body["run"], f"key {answer['key']} was answered with two runs: {before} and {body['run']}")
            verdict.require(body["run"] in stored, f"run {body['run']} was acknowledged and is not stored")
        elif answer["path"] == "/v1/definitions":
            for found in ((each["name"], each["version"]) for each in body["definitions"]):
                verdict.count("acknowledged definitions")
                verdict.require(found in versions, f"definition {found[0]} {found[1]} was acknowledged and is not stored")
    extra = stored - set(runs.values())
    verdict.count("runs stored", len(stored))
    verdict.require(not extra, f"{len(extra)} runs are stored that no key was answered with: {sorted(extra)[:3]}")
    return runs


def judge_ends(evidence: Evidence, connection: psycopg.Connection[Any], verdict: Verdict) -> dict[str, str]:
    """Every run has ended, in PostgreSQL and in Temporal; returns run → status."""
    found = {row[0]: row[1] for row in connection.execute("SELECT run, status FROM runs").fetchall()}
    for run, status in found.items():
        verdict.require(status in CLOSED, f"run {run} is {status} after the faults have stopped")
    open_ids: list[str] = json.loads((evidence.folder / "temporal.json").read_text(encoding="utf-8"))["open"]
    verdict.require(not open_ids, f"Temporal has {len(open_ids)} open workflows: {open_ids[:3]}")
    return found


def judge_leases(connection: psycopg.Connection[Any], verdict: Verdict) -> None:
    """Nothing waits for an attempt, a person or a request that is gone."""
    for run, status, step, call, state, attempt in connection.execute(STUCK, [GRACE_S]).fetchall():
        verdict.breach(f"effect {step}/{call} of {run} ({status}) is left as {state} by attempt {attempt}")
    held = "SELECT key FROM idempotency_keys WHERE status IS NULL AND lease_until < now()"
    for (key,) in connection.execute(held).fetchall():
        verdict.breach(f"Idempotency-Key {key} is left claimed past its lease")
    for task, kind in connection.execute("SELECT task, kind FROM tasks WHERE state = 'open'").fetchall():
        verdict.breach(f"task {task} ({kind}) waits for a person")


def judge_answers(evidence: Evidence, verdict: Verdict) -> None:
    """Per key: every 2xx is byte-equal, and whatever else came was 409 (in flight) or a server's 5xx."""
    first: dict[str, str] = {}
    for answer in evidence.answers():
        verdict.count("answers")
        if 200 <= answer["status"] < 300:
            same = first.setdefault(f"{answer['path']} {answer['key']}", answer["body"]) == answer["body"]
            verdict.require(same, f"key {answer['key']} got two different answers")
        else:
            verdict.require(answer["status"] in (409, 429) or answer["status"] >= 500, f"key {answer['key']} got {answer['status']}")


def ledger_counts(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Return run → effects that the journal holds as done."""
    counted = connection.execute("SELECT run, count(*) FROM effects WHERE state = 'done' GROUP BY run").fetchall()
    return {row[0]: row[1] for row in counted}
