"""Redrive, fork, compare."""

from collections.abc import Mapping
from urllib.parse import quote

from pydantic import JsonValue

from standfast_client.exchange import Flow, Link, get, parse, plain, post
from standfast_client.flows.runs import run_path
from standfast_client.lineage import Comparison, Forked, Redriven
from standfast_client.models import JsonInput


def redrive(link: Link, run: str, *, reason: str, idempotency_key: str | None) -> Flow[Redriven]:
    """Let a run that ended badly go on."""
    request = post(f"{run_path(run)}/redrive", {"reason": reason}, idempotency_key=idempotency_key)
    return parse((yield from link.ask(request)), Redriven)


def fork(
    link: Link, run: str, at: str, changes: Mapping[str, JsonInput], *, allow_effects: bool, idempotency_key: str | None
) -> Flow[Forked]:
    """Start a new run that goes on at a step of this one; changes that are None are left out."""
    given: dict[str, JsonValue] = {name: plain(value) for name, value in changes.items() if value is not None}
    body: dict[str, JsonValue] = {"at": at, "changes": given, "allow_effects": allow_effects}
    return parse((yield from link.ask(post(f"{run_path(run)}/fork", body, idempotency_key=idempotency_key))), Forked)


def compare(link: Link, run: str, other: str) -> Flow[Comparison]:
    """Compare two runs."""
    return parse((yield from link.ask(get(f"{run_path(run)}/compare/{quote(other, safe='')}"))), Comparison)
