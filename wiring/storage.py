"""PostgreSQL and what stands on it: one pool per process, every store on it."""

from dataclasses import dataclass

from adapters.codec.cipher import TenantCipher
from adapters.postgres.anchorage import PostgresAnchorage
from adapters.postgres.approvals import PostgresApprovalStore
from adapters.postgres.definitions import PostgresDefinitionStore
from adapters.postgres.idempotency import PostgresIdempotencyStore
from adapters.postgres.journal import PostgresJournal
from adapters.postgres.keys import PostgresKeyStore
from adapters.postgres.ledger import PostgresLedgerReader
from adapters.postgres.lineage import PostgresLineageStore
from adapters.postgres.messages import PostgresMessageStore
from adapters.postgres.payloads import PostgresPayloadStore
from adapters.postgres.pool import Database
from adapters.postgres.runs import PostgresRunStore
from adapters.postgres.tasks import PostgresTaskStore
from adapters.postgres.tree_reader import PostgresTreeReader


@dataclass(frozen=True)
class Storage:
    """The stores of one process."""

    database: Database
    journal: PostgresJournal
    runs: PostgresRunStore
    ledger: PostgresLedgerReader
    payloads: PostgresPayloadStore
    messages: PostgresMessageStore
    approvals: PostgresApprovalStore
    tasks: PostgresTaskStore
    definitions: PostgresDefinitionStore
    keys: PostgresKeyStore
    idempotency: PostgresIdempotencyStore
    tree: PostgresTreeReader
    anchorage: PostgresAnchorage
    lineage: PostgresLineageStore


def build_storage(database: Database, cipher: TenantCipher) -> Storage:
    """Return the stores over one pool."""
    runs, payloads = PostgresRunStore(database, cipher), PostgresPayloadStore(database, cipher)
    return Storage(
        database=database,
        journal=PostgresJournal(database, cipher),
        runs=runs,
        ledger=PostgresLedgerReader(database),
        payloads=payloads,
        messages=PostgresMessageStore(database, cipher),
        approvals=PostgresApprovalStore(database, cipher),
        tasks=PostgresTaskStore(database, cipher),
        definitions=PostgresDefinitionStore(database),
        keys=PostgresKeyStore(database),
        idempotency=PostgresIdempotencyStore(database, cipher),
        tree=PostgresTreeReader(database),
        anchorage=PostgresAnchorage(database),
        lineage=PostgresLineageStore(database, cipher, runs, payloads),
    )
