"""Appends entries that are no facts to a run's chain, inside a transaction of the caller."""

from psycopg.types.numeric import Int4

from adapters.postgres.pool import Transaction
from domain.ledger import EntryBody


async def append_body(tx: Transaction, tenant: str, run: str, body: EntryBody) -> None:
    """Append one entry under the run's row lock."""
    await tx.execute(
        "SELECT append_entry(%s, %s, %s, %s, %s, %s, %s, %s)",
        [tenant, run, body.kind, body.principal, Int4(body.epoch), body.step, body.payload_digest, body.canonical()],
    )
