"""The ledger beside a plain list of bodies: appends alone and at once, crashes, rollbacks, export, verification and tampering."""

import asyncio
from typing import Any

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from psycopg.types.numeric import Int4

from adapters.postgres.pool import Transaction
from domain.errors import Unavailable
from domain.ledger import ZERO_HASH, EntryBody, Kind, StoredEntry, Verification, entry_hash, verify_entries
from tests.contracts.journal_bench import AT, RUN
from tests.faults.checker.chains import Row, hash_of
from tests.faults.machines.rig import Rig
from tests.faults.machines.tamper import TAMPERS

APPEND = b"SELECT append_entry(%s, %s, %s, %s, %s, %s, %s, %s)"


class UndoneError(Exception):
    """Leaves a transaction, so that it is rolled back."""


def ledger_machine(rig: Rig) -> type[RuleBasedStateMachine]:
    """Return the machine on a rig."""

    class LedgerMachine(LedgerRules):
        pass

    LedgerMachine.rig = rig
    return LedgerMachine


class LedgerRules(RuleBasedStateMachine):
    """See the module."""

    rig: Rig

    @initialize()
    def accept(self) -> None:
        """Accept a run: its ledger has one entry."""
        self.bench = self.rig.accept()
        self.model = [bytes(row["body"]) for row in self.rig.rows(self.bench.tenant)]
        self.written = 0
        self.exported: tuple[list[bytes], list[Row]] | None = None

    def _body(self) -> bytes:
        self.written += 1
        return EntryBody(
            kind=Kind.STEP_ENTERED, at=AT, principal="prn_a", correlation_id="corr", epoch=1, step="s", data={"n": self.written}
        ).canonical()

    def _params(self, body: bytes) -> list[object]:
        return [RUN, Kind.STEP_ENTERED.value, "prn_a", Int4(1), "s", None, body]

    @rule()
    def append(self) -> None:
        """One entry."""
        body = self._body()
        self.rig.wait(self.rig.db.call(self.bench.tenant, "append_entry", self._params(body)))
        self.model.append(body)

    @rule(writers=st.integers(2, 6))
    def append_beside_each_other(self, writers: int) -> None:
        """Several writers at once: all are there, in one order or another."""
        bodies = [self._body() for _ in range(writers)]

        async def write() -> None:
            await asyncio.gather(*(self.rig.db.call(self.bench.tenant, "append_entry", self._params(body)) for body in bodies))

        self.rig.wait(write())
        added = [bytes(row["body"]) for row in self.rig.rows(self.bench.tenant)][len(self.model) :]
        assert sorted(added) == sorted(bodies), "each writer's entry is there once"
        self.model += added

    @rule(after=st.integers(1, 3))
    def roll_back(self, after: int) -> None:
        """A transaction that appended ends without a commit."""

        async def undone() -> None:
            async with self.rig.db.tenant(self.bench.tenant) as tx:
                await self._append_in(tx, after)
                raise UndoneError

        try:
            self.rig.wait(undone())
        except UndoneError:
            self.rig.fired["rolled back"] += 1
            return
        raise AssertionError("the transaction was not left")

    @rule(beside=st.booleans())
    def crash(self, beside: bool) -> None:  # noqa: FBT001 - hypothesis draws it
        """The connection dies in mid-transaction while another writer waits for the row; the other one goes on."""
        body = self._body()

        async def die() -> None:
            waiting: asyncio.Task[object] | None = None
            try:
                async with self.rig.db.tenant(self.bench.tenant) as tx:
                    await self._append_in(tx, 1)
                    if beside:
                        waiting = asyncio.create_task(self._append_alone(body))
                        await asyncio.sleep(0)
                    pid = await tx.row(b"SELECT pg_backend_pid() AS pid")
                    self.rig.owner.execute("SELECT pg_terminate_backend(%s)", [pid["pid"] if pid else 0])
                    await tx.row(b"SELECT 1 AS one")
                    raise AssertionError("the connection lives")
            except Unavailable:
                self.rig.fired["connection killed"] += 1
            if waiting is not None:
                await waiting

        self.rig.wait(die())
        if beside:
            self.model.append(body)

    async def _append_in(self, tx: Transaction, number: int) -> None:
        for _ in range(number):
            await tx.row(APPEND, [self.bench.tenant, *self._params(self._body())])

    async def _append_alone(self, body: bytes) -> object:
        return await self.rig.db.call(self.bench.tenant, "append_entry", self._params(body))

    @rule()
    def export(self) -> None:
        """Somebody takes a copy."""
        rows = self.rig.rows(self.bench.tenant)
        self.exported = ([bytes(row["body"]) for row in rows], rows)

    @precondition(lambda self: self.exported is not None)
    @rule()
    def compare_the_copy(self) -> None:
        """An earlier copy is a prefix of the ledger for ever."""
        assert self.exported is not None
        bodies, rows = self.exported
        assert self.model[: len(bodies)] == bodies
        assert [bytes(row["hash"]) for row in self.rig.rows(self.bench.tenant)][: len(rows)] == [hash_of(row) for row in rows]

    @rule(name=st.sampled_from(sorted(TAMPERS)), place=st.integers(0, 10_000), byte=st.integers(0, 10_000))
    def tamper(self, name: str, place: int, byte: int) -> None:
        """A superuser changes stored rows; verification finds it and says where. Then the change is taken back."""
        change = TAMPERS[name]
        seq = place % len(self.model) + 1
        if len(self.model) < change.entries_min:
            return
        with self.rig.owner.transaction(force_rollback=True):
            self.rig.owner.execute("SET LOCAL session_replication_role = replica")
            expected = change.apply(self.rig.owner, tenant=self.bench.tenant, seq=seq, byte=byte, last=len(self.model))
            verdict = self._verify()
        self.rig.fired["tampered"] += 1
        assert not verdict.ok, f"{name} of entry {seq} was not found"
        assert verdict.broken is not None
        assert verdict.broken.seq in expected, f"{name} of entry {seq} was located at {verdict.broken.seq}: {verdict.broken.reason}"

    def _verify(self) -> Verification:
        """Verify what the superuser's transaction sees, with the product's verifier."""
        head = self.rig.head(self.bench.tenant)
        entries = [stored(row) for row in self.rig.rows(self.bench.tenant)]
        if self.rig.plant == "blind-verifier":
            return verify_entries(believed(entries))
        return verify_entries(entries, head=(head["head_seq"], bytes(head["head_hash"])))

    @rule()
    def verify(self) -> None:
        """The product's verifier agrees with the outside checker."""
        assert self.rig.wait(self.bench.verification()).ok
        self.rig.check_chain(self.bench.tenant)

    @rule(change=st.sampled_from(["UPDATE ledger_entries SET kind = 'x'", "DELETE FROM ledger_entries"]))
    def change_as_application(self, change: str) -> None:
        """The application's role cannot change an entry at all."""

        async def attempt() -> None:
            async with self.rig.db.tenant(self.bench.tenant) as tx:
                await tx.execute(change.encode())

        try:
            self.rig.wait(attempt())
        except psycopg.errors.InsufficientPrivilege:
            return
        raise AssertionError("the application's role changed the ledger")

    @invariant()
    def the_ledger_is_the_list(self) -> None:
        """Stored bodies are the model's, in order; what was rolled back or lost is nowhere."""
        assert [bytes(row["body"]) for row in self.rig.rows(self.bench.tenant)] == self.model

    def teardown(self) -> None:
        """The chain holds at the end."""
        if hasattr(self, "bench"):
            self.verify()


def believed(entries: list[StoredEntry]) -> list[StoredEntry]:
    """The bug: hashes are made from what is stored instead of being compared with it."""
    made: list[StoredEntry] = []
    for entry in entries:
        linked = entry.model_copy(update={"prev": made[-1].hash if made else ZERO_HASH})
        made.append(linked.model_copy(update={"hash": entry_hash(linked)}))
    return made


def stored(row: Row) -> StoredEntry:
    """Return a row as the product's verifier takes it."""
    fields: dict[str, Any] = {
        name: row[name] for name in ("run", "seq", "kind", "principal", "epoch", "fact_seq", "step", "payload_digest")
    }
    return StoredEntry(
        tenant=row["tenant_id"],
        recorded_at_us=row["at_us"],
        prev=bytes(row["prev"]),
        hash=bytes(row["hash"]),
        body=bytes(row["body"]),
        **fields,
    )
