"""The reading of a ledger that grows meanwhile: no missing tail is seen where none is, and one that is there is seen."""

from domain.ledger import ZERO_HASH, EntryBody, StoredEntry, entry_hash, verify_entries
from tests.standing_ledger import standing


def chained(number: int) -> list[StoredEntry]:
    """Return a chain of that many entries."""
    entries: list[StoredEntry] = []
    for seq in range(1, number + 1):
        body = EntryBody(kind="workflow:step:entered", at="2026-01-01T00:00:00Z", principal="prn_a", correlation_id="corr", epoch=1)
        prev = entries[-1].hash if entries else ZERO_HASH
        fields = {**body.model_dump(include={"kind", "principal", "epoch", "fact_seq", "step", "payload_digest"}), "prev": prev}
        bare = StoredEntry.model_validate(
            {**fields, "tenant": "t", "run": "r", "seq": seq, "recorded_at_us": seq, "hash": b"", "body": body.canonical()}
        )
        entries.append(bare.model_copy(update={"hash": entry_hash(bare)}))
    return entries


class GrowingLedger:
    """A ledger to which a writer appends after each of the first reads of its entries; `lost` entries never reach the table."""

    def __init__(self, *, growths: int, lost: int = 0) -> None:
        self._chain = chained(1)
        self._growths = growths
        self._lost = lost

    async def entries(self, tenant: str, run: str, *, after: int = 0, limit: int = 1000) -> list[StoredEntry]:
        """Return what is there, and let the writer append."""
        del tenant, run
        found = self._chain[: len(self._chain) - self._lost][after:limit]
        if self._growths:
            self._growths -= 1
            self._chain = chained(len(self._chain) + 3)
        return found

    async def head(self, tenant: str, run: str) -> tuple[int, bytes]:
        """Return what the run's row says."""
        del tenant, run
        return self._chain[-1].seq, self._chain[-1].hash


class TestStanding:
    async def test_sees_no_missing_tail_in_a_ledger_that_grows(self) -> None:
        torn = GrowingLedger(growths=1)
        assert not verify_entries(await torn.entries("t", "r"), head=await torn.head("t", "r")).ok
        entries, verdict = await standing(GrowingLedger(growths=2), "t", "r")
        assert (verdict.ok, len(entries)) == (True, 7)

    async def test_sees_a_tail_that_is_missing(self) -> None:
        _, verdict = await standing(GrowingLedger(growths=2, lost=1), "t", "r")
        assert verdict.broken is not None
        assert verdict.broken.seq == 7
