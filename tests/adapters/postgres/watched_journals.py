"""A journal over a pool that notes which calls shared a statement, and can hold statements back or let one fail."""

import asyncio
from collections.abc import Sequence
from typing import cast

from adapters.postgres.journal import PostgresJournal
from adapters.postgres.ledger import PostgresLedgerReader
from adapters.postgres.pool import Database, Params, Row
from adapters.postgres.runs import PostgresRunStore
from adapters.postgres.subject_ciphers import SubjectCiphers
from adapters.postgres.together import PATIENCE_S
from adapters.postgres.vault import Vault
from domain.budget import Charge
from domain.effects import Carrier, EffectClass, EffectKey, EffectState, Intent, Outcome, RetryClass
from domain.errors import Unavailable
from domain.facts import Fact
from domain.runs import Projection
from tests.adapters.postgres.sealing_by_xor import XorCipher
from tests.contracts.journal_bench import AT
from tests.contracts.postgres_bench import new_run
from tests.standing_ledger import standing

RUNS = [f"run_{number:026}" for number in range(12)]
STEP = "pay"
PATIENCE = f"'{int(1000 * PATIENCE_S)}'".encode()


class WatchedDatabase(Database):
    """A database that notes how many calls each statement carried; with `patient`, a shared one waits for locks as long as it takes.

    While `gate` is closed no statement comes through; `under_way` are the runs of those that came before it.
    A shared statement with the run `broken` fails.
    """

    carried: tuple[int, ...] = ()
    patient = False
    broken = ""

    def __init__(self, url: str) -> None:
        super().__init__(url, max_size=10, timeout_s=5)
        self.gate = asyncio.Event()
        self.gate.set()
        self.under_way: list[list[str]] = []
        self.reached = asyncio.Condition()

    async def select_all(self, query: bytes, params: Params) -> list[Row]:
        """Count the runs of a shared statement; another carries one call.

        Raises:
            Unavailable: it is to fail.
        """
        runs = cast("list[str] | str | None", params[1] if isinstance(params, Sequence) else None)
        self.carried += (len(runs) if isinstance(runs, list) else 1,)
        if self.patient and isinstance(runs, list):
            assert PATIENCE in query
            query = query.replace(PATIENCE, b"'0'")
        if not self.gate.is_set():
            await self._wait(runs if isinstance(runs, list) else [str(runs)])
        if isinstance(runs, list) and self.broken in runs:
            raise Unavailable("this one is to fail")
        return await super().select_all(query, params)

    async def _wait(self, runs: list[str]) -> None:
        async with self.reached:
            self.under_way.append(runs)
            self.reached.notify_all()
        await self.gate.wait()

    async def statements(self, count: int) -> list[list[str]]:
        """Wait until so many statements stand before the gate; return the runs of each of the first."""
        async with self.reached:
            await self.reached.wait_for(lambda: len(self.under_way) >= count)
        return self.under_way[:count]


class Journals:
    """Runs of a tenant, twelve unless more are accepted, and a journal over a watched pool."""

    def __init__(self, db: WatchedDatabase, tenant: str) -> None:
        self.db, self.tenant = db, tenant
        self.vault = Vault(SubjectCiphers(db, XorCipher(), key_seconds=3600))
        self.journal = PostgresJournal(db, self.vault)
        self.reader = PostgresLedgerReader(db)

    async def accept(self, runs: Sequence[str] = RUNS) -> "Journals":
        """Accept the runs and read their keys: a call that had to read its run's key would come when that is read, not when it is made."""
        store = PostgresRunStore(self.db, XorCipher())
        for run in runs:
            await store.accept(new_run(self.tenant, run))
        await self.vault.ciphers.learn(self.tenant, set(runs))
        self.db.carried = ()
        return self

    def carrier(self, run: str, *facts: Fact) -> Carrier:
        """A carrier of one of the runs."""
        return Carrier(tenant=self.tenant, run=run, epoch=1, principal="prn_a", correlation_id="corr", facts=facts)

    async def fact(self, run: str, *seqs: int, step: str = STEP) -> int:
        """Write one fact, or several in one call."""
        facts = [Fact(seq=seq, kind="workflow:step:entered", at=AT, epoch=1, step=step, visit=1, data={"seq": str(seq)}) for seq in seqs]
        return await self.journal.flush(self.carrier(run, *facts), Projection(), fact_seq=seqs[-1])

    def intent(self, run: str, *, charge: Charge | None = None, step: str = STEP, subject: str = "bank.pay@1.0.0") -> Intent:
        """The first attempt of the run's one effect."""
        return Intent(
            carrier=self.carrier(run),
            key=EffectKey(tenant=self.tenant, run=run, step=step, visit=1, call="call"),
            digest="d" * 64,
            effect_class=EffectClass.MONEY,
            retry_class=RetryClass.IDEMPOTENT,
            subject=subject,
            kind="agent:tool:requested",
            at=AT,
            attempt=1,
            lease_token=run,
            lease_ms=60_000,
            temporal_run_id="temporal",
            request={"of": run},
            charge=charge,
        )

    def outcome(self, run: str) -> Outcome:
        """Its outcome."""
        return Outcome(
            carrier=self.carrier(run),
            key=EffectKey(tenant=self.tenant, run=run, step=STEP, visit=1, call="call"),
            lease_token=run,
            state=EffectState.DONE,
            kind="agent:tool:called",
            at=AT,
            attempt=1,
            output={"paid": run},
        )

    async def entries(self, run: str) -> list[str]:
        """The kinds in a run's ledger; its chain must hold."""
        entries, verified = await standing(self.reader, self.tenant, run)
        assert verified.ok, verified.broken
        return [entry.kind for entry in entries]
