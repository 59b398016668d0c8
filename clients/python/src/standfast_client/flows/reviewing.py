"""Calendars and substitutes."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from pydantic import JsonValue

from standfast_client.exchange import Flow, Link, delete, get, parse, plain, post, put
from standfast_client.flows.paging import paged
from standfast_client.models import JsonInput
from standfast_client.reviewing import Calendar, Instants, Substitution


def calendars(link: Link, *, limit: int) -> Flow[list[Calendar]]:
    """Read the latest version of each, by name."""
    return (yield from paged(link, "/calendars", Calendar, limit))


def calendar(link: Link, name: str, *, version: int | None) -> Flow[Calendar]:
    """Read one."""
    return parse((yield from link.ask(get(_calendar(name), version=version))), Calendar)


def put_calendar(link: Link, name: str, content: Mapping[str, JsonInput], *, idempotency_key: str | None) -> Flow[Calendar]:
    """Store the next version."""
    body: dict[str, JsonValue] = {key: plain(value) for key, value in content.items()}
    return parse((yield from link.ask(put(_calendar(name), body, idempotency_key=idempotency_key))), Calendar)


def retire_calendar(link: Link, name: str, *, idempotency_key: str | None) -> Flow[None]:
    """Take one out of use."""
    yield from link.ask(delete(_calendar(name), idempotency_key=idempotency_key))


def instants(link: Link, name: str, start: str, offsets_s: Sequence[float], *, version: int | None) -> Flow[Instants]:
    """Compute when so much working time will have passed."""
    query = {"from": start, "offset_s": [str(offset) for offset in offsets_s], "version": version}
    return parse((yield from link.ask(get(f"{_calendar(name)}/instants", **query))), Instants)


def substitutes(link: Link, *, principal: str | None, standing: bool, limit: int) -> Flow[list[Substitution]]:
    """Read substitutions, latest start first."""
    return (yield from paged(link, "/substitutes", Substitution, limit, principal=principal, standing=standing or None))


def substitute(link: Link, body: Mapping[str, JsonInput], *, idempotency_key: str | None) -> Flow[Substitution]:
    """Name a substitute."""
    asked: dict[str, JsonValue] = {key: plain(value) for key, value in body.items()}
    return parse((yield from link.ask(post("/substitutes", asked, idempotency_key=idempotency_key))), Substitution)


def substitution(link: Link, name: str) -> Flow[Substitution]:
    """Read one."""
    return parse((yield from link.ask(get(_substitution(name)))), Substitution)


def end_substitution(link: Link, name: str, *, idempotency_key: str | None) -> Flow[Substitution]:
    """End one."""
    return parse((yield from link.ask(post(f"{_substitution(name)}/end", {}, idempotency_key=idempotency_key))), Substitution)


def _calendar(name: str) -> str:
    return f"/calendars/{quote(name, safe='')}"


def _substitution(name: str) -> str:
    return f"/substitutes/{quote(name, safe='')}"
