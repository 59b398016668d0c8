"""Recomputes every run's chain from the stored rows, by the ledger's published rule alone (docs/faults.md)."""

import hashlib
import json
import struct
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.faults.checker.verdict import Verdict

DOMAIN = b"standfast:entry:v1\0"
ZERO = bytes(32)
COLUMNS = ("kind", "principal", "epoch", "fact_seq", "step", "payload_digest")
ENTRIES = b"""
SELECT tenant_id, run, seq, (extract(epoch FROM recorded_at) * 1000000)::bigint AS at_us, prev, hash, body, kind, principal, epoch,
    fact_seq, step, payload_digest
FROM ledger_entries ORDER BY tenant_id, run, seq
"""
HEADS = b"SELECT tenant_id, run, head_seq, head_hash, fact_head FROM runs"

Row = dict[str, Any]  # Any: columns are PostgreSQL's to type


def _text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack(">I", len(raw)) + raw


def hash_of(row: Row) -> bytes:
    """Return the hash that an entry must have."""
    place = _text(row["tenant_id"]) + _text(row["run"]) + struct.pack(">q", row["seq"])
    return hashlib.sha256(DOMAIN + place + bytes(row["prev"]) + struct.pack(">q", row["at_us"]) + bytes(row["body"])).digest()


def judge_chains(connection: psycopg.Connection[Any], verdict: Verdict) -> None:
    """Each run's entries are gapless, linked, hashed, say what their columns say, and end where the run's row says."""
    with connection.cursor(row_factory=dict_row) as cursor:
        heads = {(r["tenant_id"], r["run"]): r for r in cursor.execute(HEADS).fetchall()}
        chains: dict[tuple[str, str], list[Row]] = {}
        for row in cursor.execute(ENTRIES).fetchall():
            chains.setdefault((row["tenant_id"], row["run"]), []).append(row)
    for place, entries in chains.items():
        verdict.count("chains")
        verdict.count("entries", len(entries))
        wrong = wrong_chain(entries, heads.get(place)) or _told_divergence(entries)
        verdict.require(wrong is None, f"ledger of {place[1]}: {wrong}")
    for place in set(heads) - set(chains):
        verdict.breach(f"run {place[1]} has no ledger")


def wrong_chain(entries: list[Row], head: Row | None) -> str | None:
    """Return what is wrong with one run's entries, None when nothing is; `head` is what the run's row claims."""
    wrong = _wrong(entries)
    return _wrong_head(entries, head) if wrong is None and head is not None else wrong


def _told_divergence(entries: list[Row]) -> str | None:
    told = [row["seq"] for row in entries if row["kind"] == "platform:fact:diverged"]
    return f"entry {told[0]} says that a fact diverged" if told else None


def _wrong(entries: list[Row]) -> str | None:
    prev, facts = ZERO, 0
    for number, row in enumerate(entries, start=1):
        if row["seq"] != number:
            return f"entry {number} is missing"
        if bytes(row["prev"]) != prev or hash_of(row) != bytes(row["hash"]):
            return f"entry {number} does not fit into the chain"
        said = json.loads(bytes(row["body"]))
        differing = [column for column in COLUMNS if said.get(column) != row[column]]
        if differing:
            return f"entry {number}: columns {differing} differ from the body"
        if row["fact_seq"] is not None:
            facts += 1
            if row["fact_seq"] != facts:
                return f"entry {number} is fact {row['fact_seq']}, and fact {facts} was expected"
        prev = bytes(row["hash"])
    return None


def _wrong_head(entries: list[Row], head: Row) -> str | None:
    if (head["head_seq"], bytes(head["head_hash"])) != (len(entries), bytes(entries[-1]["hash"])):
        return f"it ends at entry {len(entries)}, and the run's row says {head['head_seq']}"
    last = max((row["fact_seq"] or 0 for row in entries), default=0)
    if head["fact_head"] != last:
        return f"its last fact is {last}, and the run's row says {head['fact_head']}"
    return None
