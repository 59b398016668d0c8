"""The keys of data subjects as one process knows them: unwrapped once per run, kept for a minute, forgotten (JOURNAL §4).

A run's key never changes and may be destroyed. Whoever seals after that with a key still remembered writes bytes that nobody can open a
minute later; so no write asks the database for the key's state.
"""

import time
from collections import OrderedDict
from typing import NamedTuple

from adapters.postgres.pool import Database, Row, Transaction
from domain.errors import Erased
from domain.stores import PayloadCipher

KEY_SECONDS_MAX = 60.0
"""How long a process may use a key after another process destroyed it: each remembered key is read anew after this."""

RUNS_REMEMBERED_MAX = 1024
"""Runs whose keys are remembered, about 0.5 MB; the one longest unused goes first."""

_KEY_COLUMNS = b"r.run, r.subject_key, r.erased_at IS NOT NULL AS erased, k.wrapped"
_KEY_OF_RUN = (
    b"SELECT "
    + _KEY_COLUMNS
    + b" FROM set_config('standfast.tenant', %s, true) AS setting(tenant) LEFT JOIN runs r ON r.tenant_id = setting.tenant AND r.run = %s"
    b" LEFT JOIN subject_keys k ON k.tenant_id = r.tenant_id AND k.key_id = r.subject_key"
)
_KEYS_OF_RUNS = (
    b"SELECT " + _KEY_COLUMNS + b" FROM runs r LEFT JOIN subject_keys k ON k.tenant_id = r.tenant_id AND k.key_id = r.subject_key"
    b" WHERE r.tenant_id = %s AND r.run = ANY(%s)"
)


class _Known(NamedTuple):
    """A run's cipher and until when it may be used, by the monotonic clock."""

    cipher: PayloadCipher
    until: float


class SubjectCiphers:
    """Finds the cipher of a run. One per process, shared by its stores."""

    def __init__(self, db: Database, cipher: PayloadCipher, *, key_seconds: float = KEY_SECONDS_MAX) -> None:
        self._db = db
        self._key_seconds = key_seconds
        self._tenants = cipher
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()

    @property
    def of_tenant(self) -> PayloadCipher:
        """The cipher of what belongs to no run."""
        return self._tenants

    async def of_run(self, tenant: str, run: str) -> PayloadCipher:
        """Return what seals and opens a run's content; one round trip when it is not remembered.

        Raises:
            Erased: the key is destroyed.
        """
        known = self._known.get((tenant, run))
        if known is not None and known.until > time.monotonic():
            self._known.move_to_end((tenant, run))
            return known.cipher
        return self._learn(tenant, run, await self._db.select(_KEY_OF_RUN, [tenant, run]))

    async def within(self, tx: Transaction, tenant: str, run: str) -> PayloadCipher:
        """Return the same inside a transaction, which may have accepted the run itself.

        Raises:
            Erased: the key is destroyed.
        """
        known = self._known.get((tenant, run))
        if known is not None and known.until > time.monotonic():
            return known.cipher
        row = await tx.row(_KEYS_OF_RUNS, [tenant, [run]])
        if row is None:
            return self._tenants
        if _destroyed(row) or row["subject_key"] is None:
            return self._learn(tenant, run, row)
        return self._tenants.under(tenant, row["subject_key"], bytes(row["wrapped"]))

    async def learn(self, tenant: str, runs: set[str]) -> None:
        """Read the keys of many runs at once, so that `of_run` finds them; erased ones are left to it."""
        now = time.monotonic()
        unknown = [run for run in runs if (known := self._known.get((tenant, run))) is None or known.until <= now]
        if not unknown:
            return
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(_KEYS_OF_RUNS, [tenant, unknown])
        for row in rows:
            if not _destroyed(row):
                self._learn(tenant, row["run"], row)

    def remember(self, tenant: str, run: str, cipher: PayloadCipher) -> None:
        """Keep the cipher of a run for a minute."""
        self._known[tenant, run] = _Known(cipher, time.monotonic() + self._key_seconds)
        self._known.move_to_end((tenant, run))
        if len(self._known) > RUNS_REMEMBERED_MAX:
            self._known.popitem(last=False)

    def forget(self, tenant: str, run: str) -> None:
        """Drop a run's cipher now."""
        self._known.pop((tenant, run), None)

    def _learn(self, tenant: str, run: str, row: Row) -> PayloadCipher:
        """Unwrap a run's key.

        Raises:
            Erased: it is destroyed.
        """
        if _destroyed(row):
            self.forget(tenant, run)
            raise Erased(f"the content of run {run} was erased")
        if row["subject_key"] is None:  # an unknown run, which its caller refuses, or one from before subjects had keys
            return self._tenants
        cipher = self._tenants.under(tenant, row["subject_key"], bytes(row["wrapped"]))
        self.remember(tenant, run, cipher)
        return cipher


def _destroyed(row: Row) -> bool:
    return bool(row["erased"]) or (row["subject_key"] is not None and row["wrapped"] is None)
