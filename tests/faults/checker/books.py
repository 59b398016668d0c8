"""Judges the bank's and the mail's own stores: money is constant, each key took effect once, each claim is whole or undone."""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

from tests.faults.checker.verdict import Evidence, Verdict


def rows(store: Path, query: str) -> list[sqlite3.Row]:
    """Return the rows of a query; the store is opened read-only."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute(query).fetchall()


def judge_money(evidence: Evidence, verdict: Verdict) -> None:
    """The sum of all balances is what the accounts were opened with, and the effects explain each one."""
    bank = evidence.folder / "bank.sqlite"
    moved: Counter[str] = Counter()
    for effect in rows(bank, "SELECT debit, credit, amount_micros FROM effects"):
        moved[effect["debit"]] -= effect["amount_micros"]
        moved[effect["credit"]] += effect["amount_micros"]
    accounts = rows(bank, "SELECT id, opening_micros, balance_micros FROM accounts")
    verdict.count("accounts", len(accounts))
    verdict.require(
        sum(a["opening_micros"] for a in accounts) == sum(a["balance_micros"] for a in accounts), "the sum of balances has changed"
    )
    for account in accounts:
        explained = account["opening_micros"] + moved[account["id"]]
        verdict.require(account["balance_micros"] == explained, f"account {account['id']} has a balance that no effects explain")


def judge_keys(evidence: Evidence, verdict: Verdict) -> None:
    """Each Idempotency-Key took effect at most once."""
    for service in ("bank", "mail"):
        for row in rows(evidence.folder / f"{service}.sqlite", "SELECT key, count(*) AS n FROM effects GROUP BY key"):
            verdict.count(f"{service} keys")
            verdict.require(row["n"] == 1, f"{service}: key {row['key'][:12]}… took effect {row['n']} times")


def effects_by_claim(evidence: Evidence) -> dict[str, Counter[str]]:
    """Return claim → how often each kind of effect happened, in bank and mail."""
    found: dict[str, Counter[str]] = {}
    for service in ("bank", "mail"):
        for row in rows(evidence.folder / f"{service}.sqlite", "SELECT claim_id, kind FROM effects"):
            found.setdefault(row["claim_id"], Counter())[row["kind"]] += 1
    return found


def judge_claim(claim: str, found: Counter[str], whole: dict[str, int], status: str | None) -> str | None:
    """Say what is wrong with a claim's effects, None when they are all there once, or every done one is undone."""
    if status == "succeeded":
        return None if dict(found) == whole else f"{claim} succeeded and left {dict(found)} instead of {whole}"
    if found["payment"] != found["refund"]:
        return f"{claim} ended as {status} with {found['payment']} payments and {found['refund']} refunds"
    # A paid reservation is used up: its payment's refund gives the money back.
    if found["reservation"] - found["release"] - found["payment"] != 0:
        return f"{claim} ended as {status} and left a reservation: {dict(found)}"
    doubled = {kind: count for kind, count in found.items() if count > 1}
    if doubled:
        return f"{claim} ended as {status}, and did twice: {doubled}"
    if found["message"] > 0 and "reservation" in whole:
        return f"{claim} ended as {status}, yet the passenger was told that it is paid"
    return None
