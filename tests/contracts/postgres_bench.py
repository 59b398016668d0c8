"""The journal's bench on PostgreSQL."""

from pydantic import JsonValue

from adapters.postgres.approvals import PostgresApprovalStore
from adapters.postgres.journal import PostgresJournal
from adapters.postgres.ledger import PostgresLedgerReader
from adapters.postgres.pool import Database
from adapters.postgres.runs import PostgresRunStore
from adapters.postgres.tasks import PostgresTaskStore
from domain.ledger import StoredEntry, Verification
from domain.people_stores import TaskRow
from domain.stores import NewRun, RunRow
from tests.adapters.postgres.sealing_by_xor import XorCipher
from tests.contracts.journal_bench import RUN
from tests.standing_ledger import standing


def new_run(tenant: str, run: str = RUN, *, definition: str = "delay-claim") -> NewRun:
    """Build a run to accept."""
    return NewRun(
        tenant=tenant,
        run=run,
        definition=definition,
        version="1.0.0",
        definition_sha256="c" * 64,
        principal="prn_a",
        correlation_id="corr",
        fingerprint="f" * 64,
        input={"claim": {"passenger": "Ada"}},
        config={"auto_limit": 100},
        expression_engine="cel-1",
    )


class PostgresBench:
    """Implements `JournalBench`."""

    def __init__(self, db: Database, tenant: str) -> None:
        self.tenant = tenant
        self.cipher = XorCipher()
        self.journal = PostgresJournal(db, self.cipher)
        self.runs = PostgresRunStore(db, self.cipher)
        self.ledger = PostgresLedgerReader(db)
        self.tasks = PostgresTaskStore(db, self.cipher)
        self.approvals = PostgresApprovalStore(db, self.cipher)

    async def accept(self) -> "PostgresBench":
        """Accept RUN."""
        await self.runs.accept(new_run(self.tenant))
        return self

    async def entries(self) -> list[StoredEntry]:
        """Return the run's entries."""
        return await self.ledger.entries(self.tenant, RUN)

    async def verification(self) -> Verification:
        """Verify the run's chain against its head."""
        return (await standing(self.ledger, self.tenant, RUN))[1]

    async def row(self) -> RunRow:
        """Return the run."""
        return await self.runs.get(self.tenant, RUN)

    async def task(self, task: str) -> TaskRow:
        """Return a task."""
        return await self.tasks.get(self.tenant, task)

    async def approval_state(self, approval: str) -> str:
        """Return an approval's state."""
        return (await self.approvals.get(self.tenant, approval)).state

    async def result(self) -> JsonValue:
        """Return the run's result."""
        return await self.runs.result_of(self.tenant, RUN)
