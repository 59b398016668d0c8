"""Dead letters: what was given up."""

from urllib.parse import quote

from standfast_client.dead_letters import BulkRedrive, DeadLetter
from standfast_client.exchange import Flow, Link, Parameter, get, parse, post
from standfast_client.flows.paging import paged


def dead_letters(link: Link, *, limit: int, **filters: Parameter) -> Flow[list[DeadLetter]]:
    """Read the list, newest last attempt first, up to `limit`."""
    return (yield from paged(link, "/dead-letters", DeadLetter, limit, **filters))


def dead_letter(link: Link, name: str) -> Flow[DeadLetter]:
    """Read one."""
    return parse((yield from link.ask(get(_path(name)))), DeadLetter)


def redrive(link: Link, name: str, *, reason: str, idempotency_key: str | None) -> Flow[DeadLetter]:
    """Try one again."""
    request = post(f"{_path(name)}/redrive", {"reason": reason}, idempotency_key=idempotency_key)
    return parse((yield from link.ask(request)), DeadLetter)


def redrive_many(
    link: Link, *, everything: bool, rate: float, reason: str, idempotency_key: str | None, **filters: str | None
) -> Flow[BulkRedrive]:
    """Order a redrive of many."""
    named = {name: value for name, value in filters.items() if value is not None}
    request = post("/dead-letters/redrive", {"all": everything, "rate": rate, "reason": reason, **named}, idempotency_key=idempotency_key)
    return parse((yield from link.ask(request)), BulkRedrive)


def bulk_redrive(link: Link, name: str) -> Flow[BulkRedrive]:
    """Read how far a redrive of many is."""
    return parse((yield from link.ask(get(f"/dead-letters/redrives/{quote(name, safe='')}"))), BulkRedrive)


def discard(link: Link, name: str, *, reason: str, idempotency_key: str | None) -> Flow[DeadLetter]:
    """Close one for good."""
    request = post(f"{_path(name)}/discard", {"reason": reason}, idempotency_key=idempotency_key)
    return parse((yield from link.ask(request)), DeadLetter)


def _path(name: str) -> str:
    return f"/dead-letters/{quote(name, safe='')}"
