"""The fake mail service: takes messages, idempotent by key, and delivers them nowhere.

    POST /messages       {"claim_id", "to", "subject", "body"} → 201 {"message_id", "claim_id", "to", "subject", "state": "accepted"}
    GET  /messages       {"messages": [{message_id, at, claim_id, to, subject, body}]}; `?claim_id=` gives those of one claim
    GET  /summary        {"messages": n, "by_claim": {claim_id: n}, calls, keys, effects_per_key_max, faults_fired}

Fault route: `messages`. A second key is a second message: the service does not protect its caller, it counts.
What every service has besides (keys, logs, faults, errors) stands in `idempotent_http`.

    python -m examples.delay_claim.services.mail --port 0 --store mail.sqlite
"""

import hashlib
import sqlite3
import sys
from collections.abc import Mapping

from examples.delay_claim.services.call_store import read_figures, record_effect
from examples.delay_claim.services.calls import Answer, Call, JsonObject, RefusedError, text_field
from examples.delay_claim.services.idempotent_http import Mutation, Reading, Service
from examples.delay_claim.services.service_process import run_service

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    key TEXT PRIMARY KEY, message_id TEXT NOT NULL, claim_id TEXT NOT NULL, "to" TEXT NOT NULL, subject TEXT NOT NULL, body TEXT NOT NULL);
"""


def _send(connection: sqlite3.Connection, call: Call) -> Answer:
    claim_id, to, subject, body = (text_field(call.body, name) for name in ("claim_id", "to", "subject", "body"))
    if "@" not in to:
        raise RefusedError(422, "bad-field", f"to must be a mail address, got {to!r}")
    message_id = f"msg_{hashlib.sha256(call.key.encode()).hexdigest()[:16]}"
    connection.execute("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?)", (call.key, message_id, claim_id, to, subject, body))
    record_effect(connection, call, kind="message", subject_id=message_id, claim_id=claim_id)
    return Answer(201, {"message_id": message_id, "claim_id": claim_id, "to": to, "subject": subject, "state": "accepted"})


def _messages(connection: sqlite3.Connection, parts: Mapping[str, str]) -> JsonObject:
    claim_id = parts.get("claim_id")
    rows = connection.execute(
        'SELECT message_id, at, m.claim_id, "to", subject, body FROM messages m JOIN effects USING (key)'
        " WHERE ?1 IS NULL OR m.claim_id = ?1 ORDER BY id",
        (claim_id,),
    )
    return {"messages": [dict(row) for row in rows]}


def _summary(connection: sqlite3.Connection, _parts: Mapping[str, str]) -> JsonObject:
    by_claim = {row[0]: row[1] for row in connection.execute("SELECT claim_id, count(*) FROM effects GROUP BY claim_id ORDER BY claim_id")}
    return {"messages": sum(by_claim.values()), "by_claim": by_claim, **read_figures(connection)}


MAIL = Service(
    name="mail",
    schema=_SCHEMA,
    mutations=(Mutation("messages", "/messages", _send),),
    readings=(Reading("/messages", _messages), Reading("/summary", _summary)),
)

if __name__ == "__main__":
    sys.exit(run_service(MAIL))
