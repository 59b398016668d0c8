"""Inbound webhooks, and signals."""

from collections.abc import Mapping
from urllib.parse import quote

from pydantic import JsonValue

from standfast_client.exchange import Flow, Link, delete, get, parse, plain, post, put
from standfast_client.flows.paging import paged
from standfast_client.flows.runs import run_path
from standfast_client.hooks import Hook, HookRemoved, HookRequest, SignalSent
from standfast_client.models import JsonInput

ROOT = "/hooks"
RULES = ("name", "action", "when", "tolerance_s", "rate_per_minute", "enabled")


def create(
    link: Link,
    name: str,
    scheme: str,
    action: Mapping[str, JsonInput],
    *,
    secret: str | None,
    rules: Mapping[str, JsonInput],
    idempotency_key: str | None,
) -> Flow[Hook]:
    """Register a sender; rules that are None are left to the gateway."""
    given: dict[str, JsonValue] = {key: plain(value) for key, value in rules.items() if value is not None}
    body: dict[str, JsonValue] = {"name": name, "scheme": scheme, "action": plain(dict(action)), "secret": secret, **given}
    return parse((yield from link.ask(post(ROOT, body, idempotency_key=idempotency_key))), Hook)


def hook(link: Link, hook_id: str) -> Flow[Hook]:
    """Read one hook."""
    return parse((yield from link.ask(get(_place(hook_id)))), Hook)


def hooks(link: Link, *, limit: int) -> Flow[list[Hook]]:
    """Read hooks, by name, up to `limit`."""
    return (yield from paged(link, ROOT, Hook, limit))


def change(link: Link, hook_id: str, rules: Mapping[str, JsonInput], *, idempotency_key: str | None) -> Flow[Hook]:
    """Change what is not None; the rest stays as it is read now."""
    now = (yield from hook(link, hook_id)).model_dump(mode="json", include=set(RULES))
    given: dict[str, JsonValue] = {key: plain(value) for key, value in rules.items() if value is not None}
    return parse((yield from link.ask(put(_place(hook_id), {**now, **given}, idempotency_key=idempotency_key))), Hook)


def remove(link: Link, hook_id: str, *, idempotency_key: str | None) -> Flow[HookRemoved]:
    """Take a hook away."""
    return parse((yield from link.ask(delete(_place(hook_id), idempotency_key=idempotency_key))), HookRemoved)


def rotate(link: Link, hook_id: str, *, secret: str | None, keep_s: int, idempotency_key: str | None) -> Flow[Hook]:
    """Add a secret."""
    request = post(f"{_place(hook_id)}/secrets", {"secret": secret, "keep_s": keep_s}, idempotency_key=idempotency_key)
    return parse((yield from link.ask(request)), Hook)


def requests(link: Link, hook_id: str, *, limit: int) -> Flow[list[HookRequest]]:
    """Read a hook's requests, newest first, up to `limit`."""
    return (yield from paged(link, f"{_place(hook_id)}/requests", HookRequest, limit))


def signal(link: Link, run: str, name: str, payload: JsonInput, *, key: str | None, idempotency_key: str | None) -> Flow[SignalSent]:
    """Send a run a signal."""
    path = f"{run_path(run)}/signals/{quote(name, safe='')}"
    return parse((yield from link.ask(post(path, {"payload": plain(payload), "key": key}, idempotency_key=idempotency_key))), SignalSent)


def _place(hook_id: str) -> str:
    return f"{ROOT}/{quote(hook_id, safe='')}"
