"""Facts: what the workflow knows happened, carried to the ledger by regular activities (JOURNAL §1). Pure."""

from pydantic import JsonValue

from domain.canonical import digest_hex
from domain.ledger import EntryBody
from domain.model import Wire

FACTS_PER_CARRIER = 16
"""More unacknowledged facts than this are flushed first: a fan-out of n would cost n² bytes (JOURNAL §1.4)."""

FACT_BYTES_PER_CARRIER = 32 * 1024


class Fact(Wire):
    """One fact; its key is (run, epoch, seq). `at` is workflow time, RFC 3339 UTC with microseconds."""

    seq: int
    kind: str
    at: str
    epoch: int
    step: str | None = None
    visit: int | None = None
    call: str | None = None
    principal: str | None = None
    data: dict[str, JsonValue] = {}

    def digest(self) -> str:
        """Return the hex digest over all stable fields: a fact that comes again must have the same."""
        return digest_hex("standfast:fact:v1", self.model_dump(mode="json"), keys_checked=True)

    def body(self, *, principal: str, correlation_id: str) -> EntryBody:
        """Return the ledger body of this fact; `principal` is the run's, unless the fact names its own."""
        return EntryBody(
            kind=self.kind,
            at=self.at,
            principal=self.principal or principal,
            correlation_id=correlation_id,
            epoch=self.epoch,
            fact_seq=self.seq,
            step=self.step,
            visit=self.visit,
            call=self.call,
            data=self.data,
        )


def must_flush(unacked: list[Fact]) -> bool:
    """Whether the unacknowledged suffix is too heavy to ride along."""
    if len(unacked) > FACTS_PER_CARRIER:
        return True
    return sum(len(fact.model_dump_json().encode()) for fact in unacked) > FACT_BYTES_PER_CARRIER
