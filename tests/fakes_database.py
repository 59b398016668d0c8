"""The memory behind the fake stores: one place, a clock that tests set, and ledger chains that verify."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from pydantic import JsonValue

from domain.canonical import digest_hex
from domain.errors import BadRequest, NotFound
from domain.facts import Fact
from domain.ledger import ZERO_HASH, EntryBody, StoredEntry, entry_hash
from domain.people_stores import ApprovalRow, DecisionRow, TaskRow
from domain.stores import NewRun, Page, RunRow

T = TypeVar("T")
Key = tuple[str, str]


@dataclass
class MemoryDatabase:
    """All tables, keyed by tenant first. `time` is the database clock."""

    time: datetime = field(default_factory=lambda: datetime(2026, 1, 5, 9, 0, tzinfo=UTC))
    tenants: list[str] = field(default_factory=lambda: ["default"])
    runs: dict[Key, RunRow] = field(default_factory=dict[Key, RunRow])
    accepted: dict[Key, NewRun] = field(default_factory=dict[Key, NewRun])
    results: dict[Key, JsonValue] = field(default_factory=dict[Key, JsonValue])
    entries: dict[Key, list[StoredEntry]] = field(default_factory=dict[Key, list[StoredEntry]])
    facts: dict[tuple[str, str, int, int], Fact] = field(default_factory=dict[tuple[str, str, int, int], Fact])
    payloads: dict[Key, JsonValue] = field(default_factory=dict[Key, JsonValue])
    approvals: dict[Key, ApprovalRow] = field(default_factory=dict[Key, ApprovalRow])
    decisions: dict[Key, DecisionRow] = field(default_factory=dict[Key, DecisionRow])
    tasks: dict[Key, TaskRow] = field(default_factory=dict[Key, TaskRow])
    task_outputs: dict[Key, JsonValue] = field(default_factory=dict[Key, JsonValue])

    def now(self) -> str:
        """Return the database clock as RFC 3339 UTC."""
        return self.time.isoformat(timespec="microseconds").replace("+00:00", "Z")

    def pass_time(self, *, seconds: float) -> None:
        """Let time pass."""
        self.time += timedelta(seconds=seconds)

    def older(self, instant: str, *, seconds: float) -> bool:
        """Whether `instant` lies at least that far back."""
        return datetime.fromisoformat(instant) <= self.time - timedelta(seconds=seconds)

    def run(self, tenant: str, run: str) -> RunRow:
        """Return a run's row.

        Raises:
            NotFound: absent, or another tenant's.
        """
        if (tenant, run) not in self.runs:
            raise NotFound(f"there is no run {run}")
        return self.runs[tenant, run]

    def change_run(self, tenant: str, run: str, **changes: object) -> RunRow:
        """Change a run's row; its update time moves."""
        row = self.run(tenant, run).model_copy(update={"updated_at": self.now(), **changes})
        self.runs[tenant, run] = row
        return row

    def append(self, tenant: str, run: str, body: EntryBody) -> None:
        """Append one entry to the run's chain, as the SQL function does."""
        self.time += timedelta(microseconds=1)
        chain = self.entries.setdefault((tenant, run), [])
        bare = StoredEntry(
            tenant=tenant,
            run=run,
            seq=len(chain) + 1,
            recorded_at_us=round(self.time.timestamp() * 1_000_000),
            prev=chain[-1].hash if chain else ZERO_HASH,
            hash=b"",
            body=body.canonical(),
            kind=body.kind,
            principal=body.principal,
            epoch=body.epoch,
            fact_seq=body.fact_seq,
            step=body.step,
            payload_digest=body.payload_digest,
        )
        entry = bare.model_copy(update={"hash": entry_hash(bare)})
        chain.append(entry)
        self.change_run(tenant, run, head_seq=entry.seq, head_hash=entry.hash.hex())

    def store_payload(self, tenant: str, value: JsonValue) -> str:
        """Store a payload under its digest."""
        ref = "sha256:" + digest_hex("standfast:payload:v1", value)
        self.payloads[tenant, ref] = value
        return ref


def paged(rows: Iterable[T], *, key: Callable[[T], tuple[str, str]], limit: int, cursor: str | None, newest_first: bool = False) -> Page[T]:
    """Return one page. A cursor holds the last row's key: rows that come between two pages shift nothing.

    Raises:
        BadRequest: the cursor is none of a list's.
    """
    ordered = sorted(rows, key=key, reverse=newest_first)
    if cursor is not None:
        last = _last_key(cursor)
        ordered = [row for row in ordered if (key(row) < last if newest_first else key(row) > last)]
    items = tuple(ordered[:limit])
    following = urlsafe_b64encode(json.dumps(key(items[-1])).encode()).decode() if len(ordered) > limit else None
    return Page[T](items=items, next_cursor=following)


def _last_key(cursor: str) -> tuple[str, str]:
    try:
        first, second = json.loads(urlsafe_b64decode(cursor.encode()))
    except (ValueError, TypeError) as error:
        raise BadRequest("that is no cursor of this list: take next_cursor from the page before") from error
    return str(first), str(second)
