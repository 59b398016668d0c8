"""The store of one service: raw calls, answers by key, applied effects, and whatever tables the service adds.

One SQLite file (WAL, every commit on disk before it returns), one connection behind one lock: calls are applied one after
the other, so two calls with one key can never both be applied.
"""

import json
import sqlite3
import threading
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from examples.delay_claim.services.calls import Answer, Call, JsonObject, RefusedError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, path TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL,
    fault TEXT, outcome TEXT, status INTEGER);
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL, call_id INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS effects (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, key TEXT NOT NULL, kind TEXT NOT NULL, subject_id TEXT NOT NULL,
    claim_id TEXT NOT NULL, amount_micros INTEGER, debit TEXT, credit TEXT);
CREATE INDEX IF NOT EXISTS calls_by_key ON calls (key);
CREATE INDEX IF NOT EXISTS effects_by_key ON effects (key);
"""


class CallStore:
    """Opens (or makes) the store of the service called `name`; `schema` adds the service's own tables.

    Raises:
        ValueError: the file belongs to another service or is no SQLite database.
    """

    def __init__(self, path: Path, name: str, schema: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        try:
            self._prepare(path, name, schema)
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{path} cannot be used as a store: {error}") from None

    def close(self) -> None:
        """Wait for the call being applied, then close the file; later calls fail."""
        with self._lock:
            self._connection.close()

    def log_call(self, call: Call, fault: str | None) -> int:
        """Write the raw call down before anything is done about it; returns its id."""
        with self.transaction() as connection:
            row = (_now(), call.path, call.key, json.dumps(call.body), fault)
            return connection.execute("INSERT INTO calls (at, path, key, body, fault) VALUES (?, ?, ?, ?, ?)", row).lastrowid or 0

    def settle(self, call_id: int, call: Call, apply: Callable[[sqlite3.Connection, Call], Answer]) -> Answer:
        """Give the stored answer of the key, or apply the call and store its answer, in one transaction.

        Raises:
            RefusedError: 422 for a key used with another request; whatever `apply` refuses. Nothing is kept under the key then.
        """
        try:
            with self.transaction() as connection:
                answer = _stored(connection, call)
                if answer is None:
                    answer = apply(connection, call)
                    row = (call.key, call.fingerprint, answer.status, json.dumps(answer.body), call_id)
                    connection.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?)", row)
                _close_call(connection, call_id, "replayed" if answer.replayed else "applied", answer.status)
                return answer
        except RefusedError as refusal:
            self.refuse(call_id, refusal)
            raise

    def refuse(self, call_id: int, refusal: RefusedError) -> None:
        """Note in the call log that the call was answered with `refusal`."""
        with self.transaction() as connection:
            _close_call(connection, call_id, refusal.code, refusal.status)

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """Hold the lock and one transaction; it is rolled back when the body raises."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _prepare(self, path: Path, name: str, schema: str) -> None:
        application_id = zlib.crc32(name.encode()) & 0x7FFFFFFF
        self._connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000;")
        found = self._connection.execute("PRAGMA application_id").fetchone()[0]
        if found not in (0, application_id):
            raise ValueError(f"{path} is the store of another service; give {name} a file of its own with --store")
        self._connection.executescript(f"PRAGMA application_id={application_id}; {_SCHEMA} {schema}")


def record_effect(
    connection: sqlite3.Connection,
    call: Call,
    *,
    kind: str,
    subject_id: str,
    claim_id: str,
    amount_micros: int | None = None,
    debit: str | None = None,
    credit: str | None = None,
) -> None:
    """Append one applied effect to the effects log, in the transaction that applies it."""
    row = (_now(), call.key, kind, subject_id, claim_id, amount_micros, debit, credit)
    connection.execute(
        "INSERT INTO effects (at, key, kind, subject_id, claim_id, amount_micros, debit, credit) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row
    )


def read_log(connection: sqlite3.Connection, key: str | None) -> JsonObject:
    """Return `{"calls": […], "effects": […]}` in order of arrival, of one key or of all."""
    only, values = ("WHERE key = ?", (key,)) if key else ("", ())
    calls = connection.execute(f"SELECT * FROM calls {only} ORDER BY id", values)  # noqa: S608 - `only` is one of two literals
    effects = connection.execute(f"SELECT * FROM effects {only} ORDER BY id", values)  # noqa: S608 - as above
    return {"calls": [{**row, "body": json.loads(row["body"])} for row in map(dict, calls)], "effects": [dict(row) for row in effects]}


def read_key(connection: sqlite3.Connection, key: str) -> JsonObject:
    """Return what is known under a key: whether it was applied, the stored answer, its effects, how often it was called.

    Raises:
        RefusedError: 404 when no call ever carried the key.
    """
    log = read_log(connection, key)
    calls = connection.execute("SELECT count(*) FROM calls WHERE key = ?", (key,)).fetchone()[0]
    if not calls:
        raise RefusedError(404, "unknown-key", f"no call carried the Idempotency-Key {key!r}")
    row = connection.execute("SELECT status, body FROM answers WHERE key = ?", (key,)).fetchone()
    answer = None if row is None else {"status": row["status"], "body": json.loads(row["body"])}
    return {"key": key, "applied": row is not None, "answer": answer, "effects": log["effects"], "calls": calls}


def read_figures(connection: sqlite3.Connection) -> JsonObject:
    """Return the counts every summary carries: calls, keys, effects_per_key_max, faults_fired by mode."""
    calls, keys = connection.execute("SELECT count(*), count(DISTINCT key) FROM calls").fetchone()
    per_key = connection.execute("SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM effects GROUP BY key)").fetchone()[0]
    fired = connection.execute("SELECT fault, count(*) FROM calls WHERE fault IS NOT NULL GROUP BY fault")
    return {"calls": calls, "keys": keys, "effects_per_key_max": per_key, "faults_fired": {row[0]: row[1] for row in fired}}


def _stored(connection: sqlite3.Connection, call: Call) -> Answer | None:
    row = connection.execute("SELECT fingerprint, status, body FROM answers WHERE key = ?", (call.key,)).fetchone()
    if row is None:
        return None
    if row["fingerprint"] != call.fingerprint:
        raise RefusedError(422, "key-reused", f"the Idempotency-Key {call.key!r} was used with another request; take a new key")
    return Answer(row["status"], json.loads(row["body"]), replayed=True)


def _close_call(connection: sqlite3.Connection, call_id: int, outcome: str, status: int) -> None:
    connection.execute("UPDATE calls SET outcome = ?, status = ? WHERE id = ?", (outcome, status, call_id))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
