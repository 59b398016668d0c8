"""The bank's books: accounts, the one way money moves between them, and the figures that must agree.

Money only moves by `transfer`, which changes two balances and appends one effect in the same transaction. `read_summary`
then adds the effects up again from nothing and compares: balances that were changed in any other way do not balance.
"""

import sqlite3
from dataclasses import dataclass

from examples.delay_claim.services.call_store import record_effect
from examples.delay_claim.services.calls import Call, JsonObject, RefusedError

AIRLINE = "airline"
HELD = "held"
CURRENCY = "USD"
OPENING_MICROS = 1_000_000_000_000
"""What the airline's account starts with: one million USD."""

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS accounts (
    id TEXT PRIMARY KEY, currency TEXT NOT NULL, opening_micros INTEGER NOT NULL,
    balance_micros INTEGER NOT NULL CHECK (balance_micros >= 0));
CREATE TABLE IF NOT EXISTS holds (
    key TEXT PRIMARY KEY, reservation_id TEXT NOT NULL, claim_id TEXT NOT NULL, amount_micros INTEGER NOT NULL,
    currency TEXT NOT NULL, state TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS payments (
    key TEXT PRIMARY KEY, payment_id TEXT NOT NULL, reservation_id TEXT NOT NULL, claim_id TEXT NOT NULL, payee TEXT NOT NULL,
    amount_micros INTEGER NOT NULL, currency TEXT NOT NULL, state TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS closed (kind TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (kind, id));
CREATE INDEX IF NOT EXISTS holds_by_reservation ON holds (reservation_id);
CREATE INDEX IF NOT EXISTS payments_by_id ON payments (payment_id);
INSERT OR IGNORE INTO accounts VALUES ('{AIRLINE}', '{CURRENCY}', {OPENING_MICROS}, {OPENING_MICROS});
INSERT OR IGNORE INTO accounts VALUES ('{HELD}', '{CURRENCY}', 0, 0);
"""  # noqa: S608 - every value is a constant of this file


@dataclass(frozen=True)
class Transfer:
    """One movement of money and why: `kind` is reservation, release, payment or refund; it leaves `debit` and enters `credit`."""

    kind: str
    subject_id: str
    claim_id: str
    amount_micros: int
    debit: str
    credit: str


def transfer(connection: sqlite3.Connection, call: Call, movement: Transfer) -> None:
    """Move the money and append the effect; a payee's account is opened by its first payment.

    Raises:
        RefusedError: 403 when the debit account has too little.
    """
    amount = movement.amount_micros
    has: int = connection.execute("SELECT balance_micros FROM accounts WHERE id = ?", (movement.debit,)).fetchone()[0]
    if has < amount:
        raise RefusedError(403, "insufficient-funds", f"{movement.debit} has {has} micro-{CURRENCY}, {amount} are needed")
    connection.execute("INSERT OR IGNORE INTO accounts VALUES (?, ?, 0, 0)", (movement.credit, CURRENCY))
    connection.execute("UPDATE accounts SET balance_micros = balance_micros - ? WHERE id = ?", (amount, movement.debit))
    connection.execute("UPDATE accounts SET balance_micros = balance_micros + ? WHERE id = ?", (amount, movement.credit))
    record_effect(
        connection,
        call,
        kind=movement.kind,
        subject_id=movement.subject_id,
        claim_id=movement.claim_id,
        amount_micros=amount,
        debit=movement.debit,
        credit=movement.credit,
    )


def read_summary(connection: sqlite3.Connection) -> JsonObject:
    """Return what happened, counted from the effects log.

    `reservations`, `releases`, `payments`, `refunds`: `{"count", "amount_micros"}` each. `net_paid_micros`: payments less refunds.
    `held_micros`: what is reserved now. `by_claim`: claim id → counts per kind and `net_paid_micros`.
    `paid_more_than_once`: claims with more payments than one after refunds are taken off. `balanced`: the effects explain every
    balance, their sum is what the accounts were opened with, and the held account equals the open reservations.
    """
    totals = {
        row[0]: {"count": row[1], "amount_micros": row[2]}
        for row in connection.execute("SELECT kind, count(*), sum(amount_micros) FROM effects GROUP BY kind")
    }
    nothing = {"count": 0, "amount_micros": 0}
    paid, refunded = totals.get("payment", nothing), totals.get("refund", nothing)
    by_claim = _by_claim(connection)
    return {
        "reservations": totals.get("reservation", nothing),
        "releases": totals.get("release", nothing),
        "payments": paid,
        "refunds": refunded,
        "net_paid_micros": paid["amount_micros"] - refunded["amount_micros"],
        "held_micros": connection.execute("SELECT balance_micros FROM accounts WHERE id = ?", (HELD,)).fetchone()[0],
        "by_claim": by_claim,
        "paid_more_than_once": [claim for claim, told in by_claim.items() if told["payments"] - told["refunds"] > 1],
        "balanced": _balanced(connection),
    }


def _by_claim(connection: sqlite3.Connection) -> dict[str, dict[str, int]]:
    rows = connection.execute(
        "SELECT claim_id, sum(kind = 'reservation') AS reservations, sum(kind = 'release') AS releases, sum(kind = 'payment') AS payments,"
        " sum(kind = 'refund') AS refunds, sum(CASE kind WHEN 'payment' THEN amount_micros WHEN 'refund' THEN -amount_micros ELSE 0 END)"
        " AS net_paid_micros FROM effects GROUP BY claim_id ORDER BY claim_id"
    )
    told = [dict(row) for row in rows]
    return {claim.pop("claim_id"): claim for claim in told}


def _balanced(connection: sqlite3.Connection) -> bool:
    unexplained = connection.execute(
        "SELECT count(*) FROM accounts a WHERE balance_micros != opening_micros"
        " + coalesce((SELECT sum(amount_micros) FROM effects WHERE credit = a.id), 0)"
        " - coalesce((SELECT sum(amount_micros) FROM effects WHERE debit = a.id), 0)"
    ).fetchone()[0]
    opened, has = connection.execute("SELECT sum(opening_micros), sum(balance_micros) FROM accounts").fetchone()
    held, reserved = connection.execute(
        "SELECT (SELECT balance_micros FROM accounts WHERE id = ?),"
        " (SELECT coalesce(sum(amount_micros), 0) FROM holds WHERE state = 'held')",
        (HELD,),
    ).fetchone()
    return unexplained == 0 and opened == has and held == reserved
