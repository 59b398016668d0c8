"""Events: what streams, webhooks and channels hear of, each made from one ledger entry. Pure.

A type is `subject.action`, from the entry's kind: `workflow:approval:opened` gives `approval.opened`. The end of a run carries its
status: `run.succeeded`. An entry gives the same event for ever, id included, so that a consumer can tell what it heard before.
"""

import hashlib
import json
import re
from collections.abc import Iterable

from pydantic import JsonValue

from domain.canonical import canonical_bytes
from domain.errors import InvalidInput
from domain.ids import format_id
from domain.ledger import EntryBody, Kind
from domain.model import Value
from domain.runs import RunStatus

EVENT_DOMAIN = b"standfast:event:v1\0"
DELIVERY_DOMAIN = b"standfast:delivery:v1\0"

LEDGER_ENTRY = "ledger.entry"
"""The type of every entry as it stands in the ledger; only who names it gets it, since each entry has its own type too."""

WEBHOOK_TEST = "webhook.test"
"""The type of the event that a person sends to try an endpoint; no entry stands behind it."""

FILTERS_MAX = 50

_FILTER = re.compile(r"(\*|[a-z_]+\.\*|[a-z_]+(\.[a-z_]+)+)\Z")
_RENAMED = {Kind.RUN_START_EXPIRED.value: "run.expired"}
_ENDS = (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.TIMED_OUT, RunStatus.DEAD)


class RelayEntry(Value):
    """One ledger entry as the relay reads it, with what its run's row says of it. `hash` is hexadecimal."""

    tenant: str
    run: str
    seq: int
    hash: str
    recorded_at: str
    definition: str
    version: str
    body: EntryBody


class Event(Value):
    """One event. `id` is the `webhook-id`; `at` is RFC 3339 UTC; `seq` is the entry's place in the run's ledger, 0 for a test."""

    id: str
    type: str
    at: str
    tenant: str
    run: str | None
    seq: int = 0
    data: dict[str, JsonValue] = {}

    def document(self) -> dict[str, JsonValue]:
        """Return the body that consumers get."""
        return {"id": self.id, "type": self.type, "timestamp": self.at, "tenant": self.tenant, "run": self.run, "data": self.data}

    def body(self) -> bytes:
        """Return the bytes that are sent and signed: the same on every attempt."""
        return canonical_bytes(self.document())


def event_type(kind: str, data: dict[str, JsonValue]) -> str:
    """Return the type of an entry of that kind."""
    if kind == Kind.RUN_FINISHED:
        return f"run.{data.get('status') or 'finished'}"
    return _RENAMED.get(kind) or ".".join(kind.split(":")[1:])


def known_types() -> tuple[str, ...]:
    """Return every type there is, sorted; what a filter may name."""
    ends = {f"run.{status.value}" for status in _ENDS}
    plain = {event_type(kind, {}) for kind in Kind if kind is not Kind.RUN_FINISHED}
    return tuple(sorted(ends | plain | {LEDGER_ENTRY, WEBHOOK_TEST}))


def events_of(entry: RelayEntry) -> tuple[Event, Event]:
    """Return what an entry gives: the event of its own type, and `ledger.entry`."""
    body = entry.body
    said: dict[str, JsonValue] = {
        "definition": entry.definition,
        "version": entry.version,
        "kind": body.kind,
        "sequence": entry.seq,
        "hash": entry.hash,
        "principal": body.principal,
        "correlation_id": body.correlation_id,
    }
    for name in ("step", "visit", "call", "attempt", "payload_digest"):
        value: JsonValue = getattr(body, name)
        if value is not None:
            said[name] = value
    said["details"] = body.data
    own = _event(entry, event_type(body.kind, body.data), said)
    whole: JsonValue = json.loads(body.canonical())
    stored: dict[str, JsonValue] = {"sequence": entry.seq, "hash": entry.hash, "recorded_at": entry.recorded_at, "entry": whole}
    return own, _event(entry, LEDGER_ENTRY, stored)


def _event(entry: RelayEntry, name: str, data: dict[str, JsonValue]) -> Event:
    identity = event_id(entry.tenant, entry.run, entry.seq, name)
    return Event(id=identity, type=name, at=entry.body.at, tenant=entry.tenant, run=entry.run, seq=entry.seq, data=data)


def event_id(tenant: str, run: str, seq: int, name: str) -> str:
    """Return an event's id, the same whenever the entry is read."""
    return format_id("evt", _derived(EVENT_DOMAIN, tenant, run, str(seq), name))


def delivery_id(event: str, channel: str, endpoint: str) -> str:
    """Return the id of the one delivery of an event to an endpoint."""
    return format_id("dlv", _derived(DELIVERY_DOMAIN, event, channel, endpoint))


def _derived(domain: bytes, *parts: str) -> bytes:
    digest = hashlib.sha256(domain)
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big") + raw)
    raw16 = bytearray(digest.digest()[:16])
    raw16[6] = (raw16[6] & 0x0F) | 0x80  # marked as UUIDv8 (RFC 9562 §5.8): derived, not drawn
    raw16[8] = (raw16[8] & 0x3F) | 0x80
    return bytes(raw16)


def checked_filters(filters: Iterable[str]) -> tuple[str, ...]:
    """Return filters as they are stored: sorted, each once.

    Raises:
        InvalidInput: there is none, there are too many, or one names no type.
    """
    listed = tuple(sorted(set(filters)))
    if not 1 <= len(listed) <= FILTERS_MAX:
        raise InvalidInput(f"name 1 to {FILTERS_MAX} event types, such as run.succeeded, approval.* or *", where="/events")
    for one in listed:
        if _FILTER.match(one) is None or not any(_fits(one, name) for name in known_types()):
            raise InvalidInput(f"{one[:80]!r} names no event type: the types are {', '.join(known_types())}", where="/events")
    return listed


def matches(filters: Iterable[str], name: str) -> bool:
    """Whether any filter takes events of that type: `*` takes all but `ledger.entry`, `run.*` all of one subject."""
    return any(_fits(one, name) for one in filters)


def _fits(one: str, name: str) -> bool:
    if one == name:
        return True
    if name == LEDGER_ENTRY:
        return False
    return one == "*" or (one.endswith(".*") and name.startswith(one[:-1]))
