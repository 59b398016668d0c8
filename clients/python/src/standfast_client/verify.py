"""Checks a run's ledger from its stored bytes, with nothing but the standard library and no word from the server.

An entry's hash is SHA-256 over, in this order: `standfast:entry:v1` and a zero byte; tenant and run, each UTF-8 after its length as
4-byte number; the sequence as 8-byte number; the 32 bytes of the previous entry's hash (zeros for entry 1); the time of recording
in microseconds since 1970 as 8-byte number; the stored body. Numbers are big-endian, those of 8 bytes signed.

Two passes: first the chain over all stored bytes, then each typed column against the decoded body. Each names the first bad entry.
"""

import hashlib
import json
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

_DOMAIN = b"standfast:entry:v1\x00"
_START = b"\x00" * 32
_COLUMNS = ("kind", "principal", "epoch", "fact_seq", "step", "payload_digest")
_FINISHED = "workflow:run:finished"


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """One row of the ledger as it is stored.

    Attributes:
        tenant: The tenant.
        run: The run's id.
        seq: Place in the chain, from 1.
        recorded_at_us: Database time of recording, microseconds since 1970.
        prev: Hash of the entry before, 32 bytes.
        hash: This entry's hash, 32 bytes.
        body: The stored JSON bytes (RFC 8785).
        kind: Typed column; the body says the same. So do the columns below.
        principal: Who did it.
        epoch: Epoch of the run.
        fact_seq: Place among the workflow's facts, from 1; None for other entries.
        step: Path of the step.
        payload_digest: Digest of the payload that stands apart.
    """

    tenant: str
    run: str
    seq: int
    recorded_at_us: int
    prev: bytes
    hash: bytes
    body: bytes
    kind: str
    principal: str
    epoch: int
    fact_seq: int | None = None
    step: str | None = None
    payload_digest: str | None = None


@dataclass(frozen=True)
class Verdict:
    """What the check found.

    Attributes:
        run: The run.
        entries: How many entries were checked.
        head: Hash of the last entry as 64 hex characters; zeros when there is none.
        broken_seq: The first wrong entry, or None.
        reason: What is wrong with it.
    """

    run: str
    entries: int
    head: str
    broken_seq: int | None = None
    reason: str | None = None

    @property
    def ok(self) -> bool:
        """Whether every entry holds."""
        return self.broken_seq is None


@dataclass(frozen=True)
class Head:
    """The last entry that the run's row names: its sequence (0 when empty) and hash."""

    seq: int
    hash: bytes


def verify(run: str, entries: Iterable[LedgerEntry], head: Head | None = None) -> Verdict:
    """Recompute the chain and compare the columns.

    Args:
        run: The run that was asked for; an entry of another run is wrong.
        entries: All its entries in the order they were served.
        head: What the run's row says the last entry is; a chain that ends elsewhere has lost its tail.
    """
    listed = list(entries)
    return _verdict(
        run, listed, _first_chain_fault(run, listed) or _first_column_fault(listed) or _missing_fact(listed) or _missing_tail(listed, head)
    )


def verify_chain(run: str, entries: Sequence[LedgerEntry]) -> Verdict:
    """Recompute the chain alone: the first pass of `verify`, over the stored bytes."""
    return _verdict(run, entries, _first_chain_fault(run, entries))


def _verdict(run: str, entries: Sequence[LedgerEntry], fault: "_Fault | None") -> Verdict:
    last = entries[-1].hash.hex() if entries else _START.hex()
    return Verdict(run, len(entries), last) if fault is None else Verdict(run, len(entries), last, fault.seq, fault.reason)


@dataclass(frozen=True)
class _Fault:
    seq: int
    reason: str


def computed_hash(entry: LedgerEntry) -> bytes:
    """Return the hash that the entry's stored bytes have."""
    tenant, run = entry.tenant.encode(), entry.run.encode()
    return hashlib.sha256(
        b"".join(
            (
                _DOMAIN,
                struct.pack(">I", len(tenant)),
                tenant,
                struct.pack(">I", len(run)),
                run,
                struct.pack(">q", entry.seq),
                entry.prev,
                struct.pack(">q", entry.recorded_at_us),
                entry.body,
            )
        )
    ).digest()


def _first_chain_fault(run: str, entries: Sequence[LedgerEntry]) -> _Fault | None:
    expected = _START
    for index, entry in enumerate(entries):
        place = index + 1
        if entry.seq != place:
            return _Fault(place, f"entry {place} is missing or out of order: entry {entry.seq} stands in its place")
        if entry.run != run or entry.tenant != entries[0].tenant:
            return _Fault(place, f"it belongs to run {entry.run} of tenant {entry.tenant}")
        if entry.prev != expected:
            return _Fault(place, "the previous hash it names is not the hash of the entry before it")
        if computed_hash(entry) != entry.hash:
            return _Fault(place, "its hash is not the hash of its stored bytes")
        expected = entry.hash
    return None


def _decoded(entry: LedgerEntry) -> dict[str, object] | None:
    try:
        body: object = json.loads(entry.body)
    except ValueError:
        return None
    return cast("dict[str, object]", body) if isinstance(body, dict) else None


def _first_column_fault(entries: Sequence[LedgerEntry]) -> _Fault | None:
    for entry in entries:
        body = _decoded(entry)
        if body is None:
            return _Fault(entry.seq, "its body is no JSON object")
        for column in _COLUMNS:
            stored, said = cast("object", getattr(entry, column)), body.get(column)
            if type(stored) is not type(said) or stored != said:
                return _Fault(entry.seq, f"its column {column} says {stored!r}, its body says {said!r}")
    return None


def _missing_fact(entries: Sequence[LedgerEntry]) -> _Fault | None:
    """Facts are counted without gaps, and the one that ends the run says how many there are."""
    expected = 0
    for entry in entries:
        if entry.fact_seq is not None:
            expected += 1
            if entry.fact_seq != expected:
                return _Fault(entry.seq, f"fact {expected} is missing: this entry is fact {entry.fact_seq}")
    for entry in entries:
        if entry.kind == _FINISHED:
            data = (_decoded(entry) or {}).get("data")
            counted = cast("dict[str, object]", data).get("facts") if isinstance(data, dict) else None
            if counted is not None and counted != entry.fact_seq:
                return _Fault(entry.seq, f"it says that the run has {counted} facts, and is itself fact {entry.fact_seq}")
    return None


def _missing_tail(entries: Sequence[LedgerEntry], head: Head | None) -> _Fault | None:
    if head is None:
        return None
    last = Head(len(entries), entries[-1].hash if entries else _START)
    # An empty chain has no hash of its own, so its head may be written as nothing or as zeros.
    if head.seq == last.seq and (head.hash == last.hash or head.seq == 0):
        return None
    return _Fault(len(entries) + 1, f"the run's row names entry {head.seq} as the last, and the chain ends at entry {len(entries)}")
