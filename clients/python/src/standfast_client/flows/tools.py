"""Tools: register, import, hold back, grant; the audit of their calls."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from pydantic import JsonValue

from standfast_client.exchange import Flow, Link, get, parse, plain, post
from standfast_client.flows.paging import paged
from standfast_client.models import JsonInput, Page
from standfast_client.tools import ImportedTools, Tool, ToolAnomaly, ToolCall, ToolGrant, ToolsListed, ToolsRegistered


def tools(link: Link, *, retired: bool) -> Flow[list[Tool]]:
    """Read all, by name, then newest first."""
    return parse((yield from link.ask(get("/tools", all=retired or None))), ToolsListed).items


def tool(link: Link, name: str, version: str | None) -> Flow[Tool]:
    """Read the highest version within a range."""
    return parse((yield from link.ask(get(f"/tools/{quote(name, safe='')}", version=version))), Tool)


def register(
    link: Link, declared: Sequence[Mapping[str, JsonInput]] | Mapping[str, str], *, idempotency_key: str | None
) -> Flow[list[Tool]]:
    """Register declarations, or files of them."""
    body: dict[str, JsonValue]
    body = {"files": dict(declared)} if isinstance(declared, Mapping) else {"tools": [plain(dict(one)) for one in declared]}
    return parse((yield from link.ask(post("/tools", body, idempotency_key=idempotency_key))), ToolsRegistered).tools


def import_openapi(
    link: Link, document: str | Path, options: Mapping[str, JsonInput], *, idempotency_key: str | None
) -> Flow[ImportedTools]:
    """Import a document; options that are None are left out."""
    text = document.read_text(encoding="utf-8") if isinstance(document, Path) else document
    body: dict[str, JsonValue] = {"document": text, **{key: plain(value) for key, value in options.items() if value is not None}}
    return parse((yield from link.ask(post("/tools/openapi", body, idempotency_key=idempotency_key))), ImportedTools)


def say(link: Link, place: tuple[str, str], word: str, *, reason: str, idempotency_key: str | None) -> Flow[Tool]:
    """Quarantine, release or retire a version."""
    name, version = (quote(part, safe="") for part in place)
    return parse((yield from link.ask(post(f"/tools/{name}/{version}/{word}", {"reason": reason}, idempotency_key=idempotency_key))), Tool)


def grants(link: Link) -> Flow[list[ToolGrant]]:
    """Read all grants."""
    return parse((yield from link.ask(get("/tool-grants"))), Page[ToolGrant]).items


def grant(link: Link, body: Mapping[str, JsonInput], *, idempotency_key: str | None) -> Flow[ToolGrant]:
    """Make a grant."""
    asked: dict[str, JsonValue] = {key: plain(value) for key, value in body.items()}
    return parse((yield from link.ask(post("/tool-grants", asked, idempotency_key=idempotency_key))), ToolGrant)


def revoke(link: Link, name: str, *, idempotency_key: str | None) -> Flow[ToolGrant]:
    """Take one back."""
    return parse((yield from link.ask(post(f"/tool-grants/{quote(name, safe='')}/revoke", {}, idempotency_key=idempotency_key))), ToolGrant)


def calls(link: Link, where: Mapping[str, str | None], *, limit: int) -> Flow[list[ToolCall]]:
    """Read calls, latest first."""
    return (yield from paged(link, "/tool-calls", ToolCall, limit, **where))


def anomalies(link: Link, *, tool: str | None, limit: int) -> Flow[list[ToolAnomaly]]:
    """Read unusual calls, latest found first."""
    return (yield from paged(link, "/tool-anomalies", ToolAnomaly, limit, tool=tool))
