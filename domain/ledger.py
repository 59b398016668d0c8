r"""The ledger: kinds, the canonical body of an entry, its hash, and verification in two passes. Pure.

hash = SHA-256("standfast:entry:v1\\0" ‖ len‖tenant ‖ len‖run ‖ int8(seq) ‖ prev ‖ int8(recorded_at µs) ‖ body), where lengths are
4-byte and int8 are 8-byte big-endian numbers, prev is 32 bytes and 32 zero bytes for sequence 1 (DESIGN §15). SQL computes the same.
"""

import hashlib
import json
import struct
from collections.abc import Iterable
from enum import StrEnum
from typing import cast

from pydantic import JsonValue

from domain.canonical import canonical_bytes
from domain.model import Value

ENTRY_DOMAIN = b"standfast:entry:v1\0"
ZERO_HASH = bytes(32)


class Kind(StrEnum):
    """Every ledger kind: `source:subject:action`, the action in past tense. The only list."""

    RUN_ACCEPTED = "gateway:run:accepted"
    RUN_STARTED = "workflow:run:started"
    RUN_FINISHED = "workflow:run:finished"
    RUN_CANCEL_REQUESTED = "gateway:run:cancel_requested"
    RUN_REDRIVEN = "gateway:run:redriven"
    RUN_FORKED = "gateway:run:forked"
    RUN_ENDED_EXTERNALLY = "platform:run:ended_externally"
    RUN_RESET = "platform:run:reset"
    RUN_START_EXPIRED = "platform:run:start_expired"
    RUN_PAUSED = "workflow:run:paused"
    RUN_RESUMED = "workflow:run:resumed"
    STEP_ENTERED = "workflow:step:entered"
    STEP_COMPLETED = "workflow:step:completed"
    STEP_SKIPPED = "workflow:step:skipped"
    STEP_FAILED = "workflow:step:failed"
    MODEL_REQUESTED = "agent:model:requested"
    MODEL_ANSWERED = "agent:model:answered"
    MODEL_FAILED = "agent:model:failed"
    TOOL_REQUESTED = "agent:tool:requested"
    TOOL_CALLED = "agent:tool:called"
    TOOL_FAILED = "agent:tool:failed"
    TOOL_REFUSED = "agent:tool:refused"
    TOOL_SIMULATED = "agent:tool:simulated"
    APPROVAL_OPENED = "workflow:approval:opened"
    APPROVAL_DECIDED = "human:approval:decided"
    APPROVAL_REFUSED = "workflow:decision:refused"
    APPROVAL_TIMED_OUT = "workflow:approval:timed_out"
    APPROVAL_REMINDED = "workflow:approval:reminded"
    APPROVAL_ESCALATED = "workflow:approval:escalated"
    APPROVAL_VOTED = "human:approval:voted"
    APPROVAL_AMENDED = "human:approval:amended"
    APPROVAL_INFO_REQUESTED = "human:approval:info_requested"
    APPROVAL_INFO_GIVEN = "human:approval:info_given"
    APPROVAL_ANSWERED = "agent:approval:info_given"
    APPROVAL_EXTENDED = "human:approval:extended"
    APPROVAL_DELEGATED = "human:approval:delegated"
    APPROVAL_WITHDRAWN = "human:approval:withdrawn"
    SAGA_STARTED = "workflow:saga:started"
    COMPENSATION_REGISTERED = "workflow:compensation:registered"
    COMPENSATION_REQUESTED = "workflow:compensation:requested"
    RUN_COMPENSATE_REQUESTED = "gateway:run:compensate_requested"
    SAGA_COMPENSATING = "workflow:saga:compensating"
    SAGA_COMPENSATED = "workflow:saga:compensated"
    SAGA_COMPLETED = "workflow:saga:completed"
    EFFECT_IN_DOUBT = "worker:effect:in_doubt"
    EFFECT_DIVERGED = "worker:effect:diverged"
    EFFECT_SETTLED_LATE = "worker:effect:settled_late"
    TASK_OPENED = "workflow:task:opened"
    TASK_ESCALATED = "workflow:task:escalated"
    TASK_BREACHED = "workflow:task:breached"
    TASK_MADE = "gateway:task:opened"
    TASK_ASSIGNED = "human:task:assigned"
    TASK_HANDED_ON = "human:task:escalated"
    TASK_COMPLETED = "human:task:completed"
    TASK_REFUSED = "workflow:completion:refused"
    HOOK_RECEIVED = "gateway:hook:received"
    SIGNAL_SENT = "gateway:signal:sent"
    SIGNAL_RECEIVED = "workflow:signal:received"
    SIGNAL_KEPT = "workflow:signal:kept"
    SIGNAL_REFUSED = "workflow:signal:refused"
    FACT_DIVERGED = "platform:fact:diverged"
    BUDGET_PASSED = "platform:budget:passed"
    DEAD_LETTER_REDRIVEN = "gateway:deadletter:redriven"
    DEAD_LETTER_DISCARDED = "gateway:deadletter:discarded"
    SUBJECT_ERASED = "gateway:subject:erased"
    SUBJECT_ANONYMISED = "gateway:subject:anonymised"
    CONTENT_PURGED = "platform:content:purged"
    REMOVAL_COMPLETED = "platform:removal:completed"


class EntryBody(Value):
    """What an entry says. No personal data here: values are small, and payloads stand by salted digest.

    `at` is RFC 3339 UTC with microseconds (workflow time for facts); `data` holds strings, booleans, small integers; money as strings.
    """

    v: int = 1
    kind: str
    at: str
    principal: str
    correlation_id: str
    epoch: int
    fact_seq: int | None = None
    step: str | None = None
    visit: int | None = None
    call: str | None = None
    attempt: int | None = None
    payload_digest: str | None = None
    data: dict[str, JsonValue] = {}

    def canonical(self) -> bytes:
        """Return the RFC 8785 bytes that are stored and hashed."""
        return canonical_bytes(self.model_dump(mode="json"), keys_checked=True)


class StoredEntry(Value):
    """One ledger row as bytes: what a verifier needs and nothing the server computed for it."""

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
    fact_seq: int | None
    step: str | None
    payload_digest: str | None


class Broken(Value):
    """The first wrong entry and why."""

    seq: int
    reason: str


class Verification(Value):
    """The verdict over one run's ledger."""

    entries: int
    head: str
    broken: Broken | None

    @property
    def ok(self) -> bool:
        """Whether every entry holds."""
        return self.broken is None


def _prefixed(text: str) -> bytes:
    raw = text.encode()
    return struct.pack(">I", len(raw)) + raw


def entry_hash(entry: StoredEntry) -> bytes:
    """Return the 32-byte hash of an entry over its stored bytes."""
    digest = hashlib.sha256(ENTRY_DOMAIN)
    digest.update(_prefixed(entry.tenant) + _prefixed(entry.run))
    digest.update(struct.pack(">q", entry.seq) + entry.prev + struct.pack(">q", entry.recorded_at_us) + entry.body)
    return digest.digest()


def _chain_fault(entries: list[StoredEntry]) -> Broken | None:
    prev = ZERO_HASH
    for place, entry in enumerate(entries, start=1):
        if entry.seq != place:
            return Broken(seq=place, reason=f"entry {place} is missing: the next stored sequence is {entry.seq}")
        if entry.prev != prev:
            return Broken(seq=place, reason="its previous hash is not the hash of the entry before it")
        if entry_hash(entry) != entry.hash:
            return Broken(seq=place, reason="its hash does not fit its stored bytes")
        prev = entry.hash
    return None


def _column_fault(entry: StoredEntry) -> str | None:
    try:
        body = cast("object", json.loads(entry.body))
    except ValueError:
        return "its body is no JSON"
    if not isinstance(body, dict):
        return "its body is no JSON object"
    said = cast("dict[str, object]", body)
    for column in ("kind", "principal", "epoch", "fact_seq", "step", "payload_digest"):
        if said.get(column) != getattr(entry, column):
            return f"its column {column} says {getattr(entry, column)!r} and its body {said.get(column)!r}"
    return None


def _tail_fault(entries: list[StoredEntry]) -> Broken | None:
    """A finished run commits its fact count: a missing tail or a missing fact shows (JOURNAL §1.5)."""
    facts = [e for e in entries if e.fact_seq is not None]
    for place, entry in enumerate(facts, start=1):
        if entry.fact_seq != place:
            return Broken(seq=entry.seq, reason=f"fact {place} is missing before fact {entry.fact_seq}")
    for entry in entries:
        if entry.kind == Kind.RUN_FINISHED and (count := json.loads(entry.body).get("data", {}).get("facts")) not in (None, entry.fact_seq):
            return Broken(seq=entry.seq, reason=f"the run finished with {count} facts, and this is fact {entry.fact_seq}")
    return None


def verify_entries(entries: Iterable[StoredEntry], *, head: tuple[int, bytes] | None = None) -> Verification:
    """Recompute a run's chain over stored bytes, then compare typed columns with decoded bytes.

    Args:
        entries: all entries of one run, in order of sequence.
        head: (sequence, hash) that the run's row claims; a shorter or other chain is then a missing tail.
    """
    listed = list(entries)
    last = listed[-1].hash if listed else ZERO_HASH
    broken = _chain_fault(listed)
    if broken is None:
        faults = ((e.seq, _column_fault(e)) for e in listed)
        broken = next((Broken(seq=seq, reason=why) for seq, why in faults if why is not None), None) or _tail_fault(listed)
    if broken is None and head is not None and head != (len(listed), last):
        broken = Broken(seq=len(listed) + 1, reason=f"the run's head names entry {head[0]}, and the chain ends at {len(listed)}")
    return Verification(entries=len(listed), head=last.hex(), broken=broken)
