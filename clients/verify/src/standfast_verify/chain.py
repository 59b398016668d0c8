"""The hash chain of a run: gapless from 1, each entry linked to the one before, each hash recomputed from the stored bytes.

An entry's hash is SHA-256 over, in this order: `standfast:entry:v1` and a zero byte; tenant and run, each UTF-8 after its length as
4-byte number; the sequence as 8-byte number; the 32 bytes of the previous entry's hash (zeros for entry 1); the time of recording in
microseconds since 1970 as 8-byte number; the stored body. Numbers are big-endian, those of 8 bytes signed.
"""

import hashlib
import struct
from collections import Counter
from collections.abc import Iterator, Sequence

from standfast_verify.bundle import Entry
from standfast_verify.findings import Problem

ENTRY_DOMAIN = b"standfast:entry:v1\x00"
START = bytes(32)
"""What entry 1 names as its previous hash."""


def entry_hash(tenant: str, entry: Entry) -> bytes:
    """Return the hash that an entry's stored bytes have."""
    parts = (ENTRY_DOMAIN, _prefixed(tenant), _prefixed(entry.run), struct.pack(">q", entry.seq), entry.prev)
    return hashlib.sha256(b"".join((*parts, struct.pack(">q", entry.recorded_at_us), entry.body))).digest()


def _prefixed(text: str) -> bytes:
    raw = text.encode()
    return struct.pack(">I", len(raw)) + raw


def by_run(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Return the entries of each run in the order of the bundle."""
    runs: dict[str, list[Entry]] = {}
    for entry in entries:
        runs.setdefault(entry.run, []).append(entry)
    return runs


def chain_problems(tenant: str, run: str, listed: Sequence[Entry]) -> Iterator[Problem]:
    """Yield what is wrong with the chain of one run, in order of sequence; a fault counts once, where it is."""
    yield from _order_problems(run, listed)
    unique = {entry.seq: entry for entry in reversed(listed)}
    expected, prev = 1, START
    for entry in (unique[seq] for seq in sorted(unique)):
        missing = entry.seq > expected
        if missing:
            yield _missing(run, expected, entry.seq - 1)
        yield from _entry_problems(tenant, entry, None if missing else prev)
        expected, prev = entry.seq + 1, entry.hash


def _order_problems(run: str, listed: Sequence[Entry]) -> Iterator[Problem]:
    counts = Counter(entry.seq for entry in listed)
    twice = [seq for seq, count in counts.items() if count > 1]
    for seq in twice:
        yield Problem(run=run, seq=seq, reason="it stands twice in the bundle")
    highest = 0
    for entry in () if twice else listed:
        if entry.seq < highest:
            yield Problem(run=run, seq=entry.seq, reason="it is out of order", expected=f"before entry {highest}", found="behind it")
        highest = max(highest, entry.seq)


def _missing(run: str, first: int, last: int) -> Problem:
    reason = "it is missing" if first == last else f"it is missing, and so are all up to entry {last}"
    return Problem(run=run, seq=first, reason=reason, expected=f"entry {first}", found=f"entry {last + 1}")


def _entry_problems(tenant: str, entry: Entry, prev: bytes | None) -> Iterator[Problem]:
    """Yield what is wrong with one entry; `prev` is None where the entry before is missing."""
    if prev is not None and entry.prev != prev:
        reason = (
            "the previous hash that it names is not the hash of the entry before"
            if entry.seq > 1
            else "the first entry has a previous hash"
        )
        yield Problem(run=entry.run, seq=entry.seq, reason=reason, expected=prev.hex(), found=entry.prev.hex())
    computed = entry_hash(tenant, entry)
    if computed != entry.hash:
        reason = "its hash is not the hash of its stored bytes: body, time, sequence, run, tenant or the hash itself was changed"
        yield Problem(run=entry.run, seq=entry.seq, reason=reason, expected=computed.hex(), found=entry.hash.hex())
