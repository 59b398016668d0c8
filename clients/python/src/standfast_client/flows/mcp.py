"""MCP servers and references of secrets."""

from collections.abc import Mapping
from urllib.parse import quote

from pydantic import JsonValue

from standfast_client.exchange import Flow, Link, delete, get, parse, post, put
from standfast_client.flows.paging import paged
from standfast_client.mcp import (
    McpAuthorization,
    McpServer,
    McpServerRemoved,
    McpTool,
    SecretReference,
    SecretReferences,
    SecretRemoved,
)

ROOT = "/mcp-servers"
SECRETS = "/secrets"


def add(link: Link, server: Mapping[str, JsonValue], *, idempotency_key: str | None) -> Flow[McpServer]:
    """Register a server."""
    return parse((yield from link.ask(post(ROOT, dict(server), idempotency_key=idempotency_key))), McpServer)


def server(link: Link, name: str) -> Flow[McpServer]:
    """Read one server with its tools."""
    return parse((yield from link.ask(get(_place(name)))), McpServer)


def servers(link: Link, *, limit: int) -> Flow[list[McpServer]]:
    """Read servers, by name, up to `limit`."""
    return (yield from paged(link, ROOT, McpServer, limit))


def check(link: Link, name: str, *, idempotency_key: str | None) -> Flow[McpServer]:
    """Have a server asked for its tools."""
    return parse((yield from link.ask(post(f"{_place(name)}/check", {}, idempotency_key=idempotency_key))), McpServer)


def approve(link: Link, name: str, approval: Mapping[str, JsonValue], *, idempotency_key: str | None) -> Flow[McpTool]:
    """Approve a tool as it was read."""
    return parse((yield from link.ask(post(f"{_place(name)}/approvals", dict(approval), idempotency_key=idempotency_key))), McpTool)


def quarantine(link: Link, name: str, tool: str, reason: str, *, idempotency_key: str | None) -> Flow[McpTool]:
    """Hold a tool back."""
    body: dict[str, JsonValue] = {"tool": tool, "reason": reason}
    return parse((yield from link.ask(post(f"{_place(name)}/quarantines", body, idempotency_key=idempotency_key))), McpTool)


def remove(link: Link, name: str, *, idempotency_key: str | None) -> Flow[McpServerRemoved]:
    """Take a server away."""
    return parse((yield from link.ask(delete(_place(name), idempotency_key=idempotency_key))), McpServerRemoved)


def begin_authorization(link: Link, name: str, redirect_uri: str, *, idempotency_key: str | None) -> Flow[McpAuthorization]:
    """Begin to authorize a server."""
    request = post(f"{_place(name)}/authorization", {"redirect_uri": redirect_uri}, idempotency_key=idempotency_key)
    return parse((yield from link.ask(request)), McpAuthorization)


def answer_authorization(link: Link, name: str, *, code: str, state: str, iss: str | None, idempotency_key: str | None) -> Flow[McpServer]:
    """Bring back what came to the redirect URI."""
    body: dict[str, JsonValue] = {"code": code, "state": state, "iss": iss}
    request = post(f"{_place(name)}/authorization/answer", body, idempotency_key=idempotency_key)
    return parse((yield from link.ask(request)), McpServer)


def set_reference(link: Link, name: str, reference: str, *, environment: str, idempotency_key: str | None) -> Flow[SecretReference]:
    """Say where a secret's value lies."""
    request = put(_secret(environment, name), {"reference": reference}, idempotency_key=idempotency_key)
    return parse((yield from link.ask(request)), SecretReference)


def references(link: Link) -> Flow[list[SecretReference]]:
    """Read all references."""
    return parse((yield from link.ask(get(SECRETS))), SecretReferences).items


def remove_secret(link: Link, name: str, *, environment: str, idempotency_key: str | None) -> Flow[SecretRemoved]:
    """Take a name away."""
    return parse((yield from link.ask(delete(_secret(environment, name), idempotency_key=idempotency_key))), SecretRemoved)


def _place(name: str) -> str:
    return f"{ROOT}/{quote(name, safe='')}"


def _secret(environment: str, name: str) -> str:
    return f"{SECRETS}/{quote(environment, safe='')}/{quote(name, safe='')}"
