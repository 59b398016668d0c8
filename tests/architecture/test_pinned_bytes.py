"""Bytes that verifiers elsewhere recompute never change without a version: an entry's body and hash, and a digest."""

from domain.canonical import digest_hex
from domain.ledger import ZERO_HASH, EntryBody, Kind, StoredEntry, entry_hash

BODY = EntryBody(
    kind=Kind.TOOL_CALLED,
    at="2026-03-01T12:00:00.000000Z",
    principal="prn_a",
    correlation_id="c",
    epoch=1,
    step="pay",
    data={"amount": "80"},
)
BYTES = (
    b'{"at":"2026-03-01T12:00:00.000000Z","attempt":null,"call":null,"correlation_id":"c","data":{"amount":"80"},"epoch":1,"fact_seq":null,'
    b'"kind":"agent:tool:called","payload_digest":null,"principal":"prn_a","step":"pay","v":1,"visit":null}'
)


class TestLedgerEntry:
    def test_has_the_pinned_bytes(self) -> None:
        assert BODY.canonical() == BYTES

    def test_has_the_pinned_hash(self) -> None:
        entry = StoredEntry(
            tenant="acme",
            run="run_1",
            seq=1,
            recorded_at_us=1_000_000,
            prev=ZERO_HASH,
            hash=b"",
            body=BYTES,
            kind=BODY.kind,
            principal=BODY.principal,
            epoch=1,
            fact_seq=None,
            step="pay",
            payload_digest=None,
        )
        assert entry_hash(entry).hex() == "b268a3923c3af28e80b51c5761b7ef6a5f8572ed96b1419d5b5604e63c5a398f"


class TestDigest:
    def test_is_the_pinned_one(self) -> None:
        assert digest_hex("standfast:request:v1", {"a": 1}) == "31fa4e2119418b4ae89c8e4b5d241f55b548e4621bb5f572f25c5bb9932183e0"
