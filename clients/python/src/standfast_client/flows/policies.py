"""Policies: sets, which of them decides, and what they say of a call."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from pydantic import JsonValue

from standfast_client.exchange import Flow, Link, get, parse, post
from standfast_client.policies import PolicySet, PolicySets, PolicyText, PolicyVerdict

ROOT = "/policies"


def sets(link: Link) -> Flow[PolicySets]:
    """Read the tenant's sets."""
    return parse((yield from link.ask(get(ROOT))), PolicySets)


def show(link: Link, version: str) -> Flow[PolicyText]:
    """Read one set."""
    return parse((yield from link.ask(get(f"{ROOT}/{quote(version, safe='')}"))), PolicyText)


def register(
    link: Link,
    draft: Mapping[str, JsonValue],
    *,
    tests: Sequence[Mapping[str, JsonValue]],
    activate: bool,
    idempotency_key: str | None,
) -> Flow[PolicySet]:
    """Register a version."""
    body: dict[str, JsonValue] = {**draft, "tests": [dict(test) for test in tests], "activate": activate}
    return parse((yield from link.ask(post(ROOT, body, idempotency_key=idempotency_key))), PolicySet)


def activate(link: Link, version: str, *, idempotency_key: str | None) -> Flow[PolicySets]:
    """Let a version decide."""
    return parse((yield from link.ask(post(f"{ROOT}/{quote(version, safe='')}/activate", {}, idempotency_key=idempotency_key))), PolicySets)


def explain(link: Link, call: Mapping[str, JsonValue], *, version: str | None) -> Flow[PolicyVerdict]:
    """Ask what policy says of a call."""
    body: dict[str, JsonValue] = {"call": dict(call), **({} if version is None else {"version": version})}
    return parse((yield from link.ask(post(f"{ROOT}/explain", body, idempotency_key=None))), PolicyVerdict)
