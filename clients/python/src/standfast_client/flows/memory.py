"""Memory: what agents saved, and what people let them recall."""

from urllib.parse import quote

from standfast_client.exchange import Flow, Link, delete, parse, post
from standfast_client.flows.paging import paged
from standfast_client.memory import MemoryRecord

ROOT = "/memory"


def records(link: Link, *, namespace: str | None, quarantined: bool, limit: int) -> Flow[list[MemoryRecord]]:
    """Read records by id, up to `limit`."""
    return (yield from paged(link, ROOT, MemoryRecord, limit, namespace=namespace, quarantined=quarantined or None))


def review(link: Link, record: str, move: str, *, idempotency_key: str | None) -> Flow[MemoryRecord]:
    """Put a record into quarantine, or let it out."""
    return parse((yield from link.ask(post(f"{_place(record)}/{move}", {}, idempotency_key=idempotency_key))), MemoryRecord)


def forget(link: Link, record: str, *, idempotency_key: str | None) -> Flow[None]:
    """Remove a record."""
    yield from link.ask(delete(_place(record), idempotency_key=idempotency_key))


def _place(record: str) -> str:
    return f"{ROOT}/{quote(record, safe='')}"
