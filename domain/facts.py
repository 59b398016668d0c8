"""Facts: what the workflow knows happened, carried to the ledger by regular activities (JOURNAL §1). Pure."""

import hashlib
from typing import NamedTuple

from pydantic import JsonValue

from domain.canonical import QUICK_INTEGER, digest_hex, quick_integer, quick_string, quick_text
from domain.ledger import EntryBody
from domain.model import Wire

FACTS_PER_CARRIER = 16
"""More unacknowledged facts than this are flushed first: a fan-out of n would cost n² bytes (JOURNAL §1.4)."""

FACT_BYTES_PER_CARRIER = 32 * 1024


DIGEST_DOMAIN = "standfast:fact:v1"


class FactBytes(NamedTuple):
    """What a fact becomes in the ledger.

    Attributes:
        principal: Who its entry names.
        digest: `Fact.digest()`.
        body: The canonical bytes of `Fact.body()`.
    """

    principal: str
    digest: str
    body: bytes


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
        return self.encoded(principal="", correlation_id="").digest

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

    def encoded(self, *, principal: str, correlation_id: str) -> FactBytes:
        """Return digest and body of the ledger; what both say is written once, a quarter of the work of making each by itself.

        Raises:
            InvalidInput: it has no canonical form.
        """
        return self._quick(principal, correlation_id) or self._thorough(principal, correlation_id)

    def _thorough(self, principal: str, correlation_id: str) -> FactBytes:
        body = self.body(principal=principal, correlation_id=correlation_id)
        return FactBytes(body.principal, digest_hex(DIGEST_DOMAIN, self.model_dump(mode="json"), keys_checked=True), body.canonical())

    def _quick(self, principal: str, correlation_id: str) -> FactBytes | None:
        """Write both texts by their sorted keys, or None where only rfc8785 is sure to be right; a property test compares them."""
        data = quick_text(self.data)
        if data is None or max(abs(self.seq), abs(self.epoch), abs(self.visit or 0)) >= QUICK_INTEGER:
            return None
        who = self.principal or principal
        call, kind, step, visit = quick_string(self.call), quick_string(self.kind), quick_string(self.step), quick_integer(self.visit)
        at, epoch, seq = quick_string(self.at), quick_integer(self.epoch), quick_integer(self.seq)
        own = (
            f'{{"at":{at},"call":{call},"data":{data},"epoch":{epoch},"kind":{kind},"principal":{quick_string(self.principal)}'
            f',"seq":{seq},"step":{step},"visit":{visit}}}'
        )
        body = (
            f'{{"at":{at},"attempt":null,"call":{call},"correlation_id":{quick_string(correlation_id)},"data":{data},"epoch":{epoch}'
            f',"fact_seq":{seq},"kind":{kind},"payload_digest":null,"principal":{quick_string(who)},"step":{step},"v":1,"visit":{visit}}}'
        )
        if not (own.isascii() and body.isascii()):
            return None
        return FactBytes(who, hashlib.sha256(f"{DIGEST_DOMAIN}\0{own}".encode()).hexdigest(), body.encode())


def must_flush(unacked: list[Fact]) -> bool:
    """Whether the unacknowledged suffix is too heavy to ride along."""
    if len(unacked) > FACTS_PER_CARRIER:
        return True
    return sum(len(fact.model_dump_json().encode()) for fact in unacked) > FACT_BYTES_PER_CARRIER
