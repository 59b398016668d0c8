"""The fake bank: an airline's money, reservations, payments; amounts are integer micro-units with a currency.

    POST /reservations                 {"reservation_id", "claim_id", "amount_micros", "currency"}
        → 201 {"reservation_id", "claim_id", "amount_micros", "currency", "state": "held"}
    POST /reservations/{id}/release    {"claim_id"}
        → 200 {"reservation_id", "released": true, "amount_micros", "reason": null}
        → 200 {"reservation_id", "released": false, "amount_micros": 0, "reason": "never-reserved" | "already-released" | "already-paid"}
    POST /payments                     {"payment_id", "reservation_id", "claim_id", "payee", "amount_micros", "currency"}
        → 201 {"payment_id", "reservation_id", "claim_id", "payee", "amount_micros", "currency", "state": "paid"}
    POST /payments/{id}/refund         {"claim_id"}
        → 200 {"payment_id", "refunded": true, "amount_micros", "reason": null}
        → 200 {"payment_id", "refunded": false, "amount_micros": 0, "reason": "never-paid" | "already-refunded"}

    GET /reservations   {"reservations": [{reservation_id, claim_id, amount_micros, currency, state: held | released | paid}]}
    GET /payments       {"payments": [{payment_id, reservation_id, claim_id, payee, amount_micros, currency, state: paid | refunded}]}
    GET /accounts       {"accounts": [{id, currency, opening_micros, balance_micros}]}
    GET /summary        figures of `bank_books.read_summary`, and calls, keys, effects_per_key_max, faults_fired

Fault routes: `reservations`, `release`, `payments`, `refund`. Keys, logs, faults and errors: see `idempotent_http`.

**Ids come from the caller**, so that an undo can be written down before its step runs: it needs no answer of the step.

**An undo may come first.** Release and refund close their id for good, also when there is nothing to undo (a tombstone). A
reservation or payment that arrives later under a closed id, with its first key or another, is refused with 409 `closed`; a
repeat of one that *was* applied still gets its stored answer, and moves nothing.

**The bank does not protect its caller.** The same id under a second key is a second hold or a second payment (the second one
comes straight from the airline's account), so a caller that loses its keys is found out by the counts instead of being saved.

Refusals: 403 `insufficient-funds`, 404 `unknown-reservation`, 409 `closed`, 409 `differs` (amount, currency or claim is not
the reservation's), 422 `bad-field`. A refund goes back to the airline's account, not into the reservation.

    python -m examples.delay_claim.services.bank --port 0 --store bank.sqlite
"""

import sqlite3
import sys
from collections.abc import Mapping

from examples.delay_claim.services.bank_books import AIRLINE, CURRENCY, HELD, SCHEMA, Transfer, read_summary, transfer
from examples.delay_claim.services.call_store import read_figures
from examples.delay_claim.services.calls import Answer, Call, JsonObject, RefusedError, amount_field, id_field
from examples.delay_claim.services.idempotent_http import Mutation, Reading, Service
from examples.delay_claim.services.service_process import run_service


def _reserve(connection: sqlite3.Connection, call: Call) -> Answer:
    reservation_id, claim_id = (id_field(call.body, name) for name in ("reservation_id", "claim_id"))
    amount, currency = amount_field(call.body, "amount_micros"), _currency(call)
    _must_be_open(connection, "reservation", reservation_id)
    row = (call.key, reservation_id, claim_id, amount, currency)
    connection.execute("INSERT INTO holds VALUES (?, ?, ?, ?, ?, 'held')", row)
    transfer(connection, call, Transfer("reservation", reservation_id, claim_id, amount, AIRLINE, HELD))
    return Answer(201, {**_told(call, "reservation_id", "claim_id", "amount_micros", "currency"), "state": "held"})


def _release(connection: sqlite3.Connection, call: Call) -> Answer:
    reservation_id, claim_id = call.ids["id"], id_field(call.body, "claim_id")
    _close(connection, "reservation", reservation_id)
    amounts = _amounts_by_state(connection, "holds", "reservation_id", reservation_id)
    amount = amounts.get("held", 0)
    if amount:
        connection.execute("UPDATE holds SET state = 'released' WHERE reservation_id = ? AND state = 'held'", (reservation_id,))
        transfer(connection, call, Transfer("release", reservation_id, claim_id, amount, HELD, AIRLINE))
    reason = None if amount else "already-paid" if "paid" in amounts else "already-released" if amounts else "never-reserved"
    return Answer(200, {"reservation_id": reservation_id, "released": amount > 0, "amount_micros": amount, "reason": reason})


def _pay(connection: sqlite3.Connection, call: Call) -> Answer:
    payment_id, reservation_id, claim_id, payee = (
        id_field(call.body, name) for name in ("payment_id", "reservation_id", "claim_id", "payee")
    )
    amount, currency = amount_field(call.body, "amount_micros"), _currency(call)
    _must_be_open(connection, "payment", payment_id)
    _must_be_open(connection, "reservation", reservation_id)
    hold = _hold_for(connection, reservation_id)
    if (hold["amount_micros"], hold["currency"], hold["claim_id"]) != (amount, currency, claim_id):
        detail = f"{reservation_id} holds {hold['amount_micros']} {hold['currency']} for {hold['claim_id']}"
        raise RefusedError(409, "differs", f"{detail}; asked were {amount} {currency} for {claim_id}")
    source = HELD if hold["state"] == "held" else AIRLINE
    connection.execute("UPDATE holds SET state = 'paid' WHERE key = ?", (hold["key"],))
    row = (call.key, payment_id, reservation_id, claim_id, payee, amount, currency)
    connection.execute("INSERT INTO payments VALUES (?, ?, ?, ?, ?, ?, ?, 'paid')", row)
    transfer(connection, call, Transfer("payment", payment_id, claim_id, amount, source, f"payee:{payee}"))
    names = ("payment_id", "reservation_id", "claim_id", "payee", "amount_micros", "currency")
    return Answer(201, {**_told(call, *names), "state": "paid"})


def _refund(connection: sqlite3.Connection, call: Call) -> Answer:
    payment_id, claim_id = call.ids["id"], id_field(call.body, "claim_id")
    _close(connection, "payment", payment_id)
    amounts = _amounts_by_state(connection, "payments", "payment_id", payment_id)
    amount = amounts.get("paid", 0)
    paid = "SELECT payee, sum(amount_micros) FROM payments WHERE payment_id = ? AND state = 'paid' GROUP BY payee"
    for payee, part in connection.execute(paid, (payment_id,)).fetchall():
        transfer(connection, call, Transfer("refund", payment_id, claim_id, part, f"payee:{payee}", AIRLINE))
    connection.execute("UPDATE payments SET state = 'refunded' WHERE payment_id = ? AND state = 'paid'", (payment_id,))
    reason = None if amount else "already-refunded" if amounts else "never-paid"
    return Answer(200, {"payment_id": payment_id, "refunded": amount > 0, "amount_micros": amount, "reason": reason})


def _hold_for(connection: sqlite3.Connection, reservation_id: str) -> sqlite3.Row:
    """The hold a payment takes: an open one if there is one, else one that was paid before.

    Raises:
        RefusedError: there is no such reservation.
    """
    order = "SELECT * FROM holds WHERE reservation_id = ? ORDER BY state = 'held' DESC, rowid LIMIT 1"
    hold: sqlite3.Row | None = connection.execute(order, (reservation_id,)).fetchone()
    if hold is None:
        raise RefusedError(404, "unknown-reservation", f"there is no reservation {reservation_id}; reserve first")
    return hold


def _must_be_open(connection: sqlite3.Connection, kind: str, subject_id: str) -> None:
    if connection.execute("SELECT 1 FROM closed WHERE kind = ? AND id = ?", (kind, subject_id)).fetchone():
        raise RefusedError(409, "closed", f"{kind} {subject_id} has been undone and stays closed; take a new id")


def _close(connection: sqlite3.Connection, kind: str, subject_id: str) -> None:
    connection.execute("INSERT OR IGNORE INTO closed VALUES (?, ?)", (kind, subject_id))


def _amounts_by_state(connection: sqlite3.Connection, table: str, column: str, subject_id: str) -> dict[str, int]:
    grouped = f"SELECT state, sum(amount_micros) FROM {table} WHERE {column} = ? GROUP BY state"  # noqa: S608 - names come from this file
    return {row[0]: row[1] for row in connection.execute(grouped, (subject_id,))}


def _currency(call: Call) -> str:
    if call.body.get("currency") != CURRENCY:
        raise RefusedError(422, "bad-field", f"currency must be {CURRENCY}, the only one this bank keeps")
    return CURRENCY


def _told(call: Call, *names: str) -> JsonObject:
    return {name: call.body[name] for name in names}


def _rows(name: str, query: str) -> Reading:
    return Reading(f"/{name}", lambda connection, _parts: {name: [dict(row) for row in connection.execute(query)]})


def _summary(connection: sqlite3.Connection, _parts: Mapping[str, str]) -> JsonObject:
    return {**read_summary(connection), **read_figures(connection)}


BANK = Service(
    name="bank",
    schema=SCHEMA,
    mutations=(
        Mutation("reservations", "/reservations", _reserve),
        Mutation("release", "/reservations/{id}/release", _release),
        Mutation("payments", "/payments", _pay),
        Mutation("refund", "/payments/{id}/refund", _refund),
    ),
    readings=(
        _rows("reservations", "SELECT reservation_id, claim_id, amount_micros, currency, state FROM holds ORDER BY rowid"),
        _rows(
            "payments",
            "SELECT payment_id, reservation_id, claim_id, payee, amount_micros, currency, state FROM payments ORDER BY rowid",
        ),
        _rows("accounts", "SELECT id, currency, opening_micros, balance_micros FROM accounts ORDER BY id"),
        Reading("/summary", _summary),
    ),
)

if __name__ == "__main__":
    sys.exit(run_service(BANK))
