"""Reads a ledger that others may be writing: its entries and its head from one moment, so that what is wrong with them is a finding.

Entries and head are two reads in two transactions: a run that grows between them seems to have lost its tail.
"""

from domain.ledger import StoredEntry, Verification, verify_entries
from domain.stores import LedgerReader


async def standing(ledger: LedgerReader, tenant: str, run: str) -> tuple[list[StoredEntry], Verification]:
    """Return a run's entries and the verdict over them and its head; looks again for as long as the head moves meanwhile.

    Raises:
        NotFound: there is no such run.
    """
    head = await ledger.head(tenant, run)
    while True:
        entries = await ledger.entries(tenant, run)
        before, head = head, await ledger.head(tenant, run)
        if head == before:
            return entries, verify_entries(entries, head=head)
