"""What somebody with the database in hand can do to a run's entries, and at which entry verification must say so."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]

WHERE = "WHERE tenant_id = %(tenant)s AND seq = %(seq)s"


@dataclass(frozen=True)
class Tamper:
    """One kind of change. `statements` see `{where}`, `tenant`, `seq`, `byte` and `last`; `at` says where it must be found."""

    statements: tuple[str, ...]
    at: Callable[[int, int], set[int]]
    entries_min: int = 1

    def apply(self, connection: Connection, *, tenant: str, seq: int, byte: int, last: int) -> set[int]:
        """Do it, and return the entries at which it may be found."""
        seq = min(seq, last - self.entries_min + 1)
        for statement in self.statements:
            connection.execute(statement.replace("{where}", WHERE).encode(), {"tenant": tenant, "seq": seq, "byte": byte, "last": last})
        return self.at(seq, last)


def _here(seq: int, last: int) -> set[int]:
    del last
    return {seq}


FLIP = "UPDATE ledger_entries SET {c} = set_byte({c}, %(byte)s %% length({c}), get_byte({c}, %(byte)s %% length({c})) # 1) {where}"
"""Flips one bit of one byte of a column."""


TAMPERS: dict[str, Tamper] = {
    "a byte of a body": Tamper((FLIP.replace("{c}", "body"),), _here),
    "a byte of a hash": Tamper((FLIP.replace("{c}", "hash"),), _here),
    "a byte of a previous hash": Tamper((FLIP.replace("{c}", "prev"),), _here),
    "the time": Tamper(("UPDATE ledger_entries SET recorded_at = recorded_at + interval '1 microsecond' {where}",), _here),
    "the kind column": Tamper(("UPDATE ledger_entries SET kind = 'platform:run:reset' {where}",), _here),
    "the principal column": Tamper(("UPDATE ledger_entries SET principal = 'prn_b' {where}",), _here),
    "the epoch column": Tamper(("UPDATE ledger_entries SET epoch = epoch + 1 {where}",), _here),
    "an entry deleted": Tamper(("DELETE FROM ledger_entries {where}",), _here),
    "the tail cut off": Tamper(("DELETE FROM ledger_entries WHERE tenant_id = %(tenant)s AND seq >= %(seq)s",), _here),
    "two entries swapped": Tamper(
        (
            "UPDATE ledger_entries SET seq = -1 {where}",
            "UPDATE ledger_entries SET seq = %(seq)s WHERE tenant_id = %(tenant)s AND seq = %(seq)s + 1",
            "UPDATE ledger_entries SET seq = %(seq)s + 1 WHERE tenant_id = %(tenant)s AND seq = -1",
        ),
        _here,
        entries_min=2,
    ),
    "the head moved back": Tamper(
        ("UPDATE runs SET head_seq = head_seq - 1 WHERE tenant_id = %(tenant)s",), lambda _, last: {last, last + 1}
    ),
    "an entry copied to the end": Tamper(
        (
            (
                "INSERT INTO ledger_entries (tenant_id, run, seq, recorded_at, prev, hash, body, kind, principal, epoch, fact_seq, step,"
                " payload_digest, fact_digest) SELECT tenant_id, run, %(last)s + 1, recorded_at, prev, hash, body, kind, principal, epoch,"
                " NULL, step, payload_digest, NULL FROM ledger_entries {where}"
            ),
        ),
        lambda _, last: {last + 1},
    ),
}
