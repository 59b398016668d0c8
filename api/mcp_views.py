"""JSON shapes of MCP servers and their tools."""

from typing import Annotated

from fastapi import Path
from pydantic import Field, JsonValue, StringConstraints

from domain.effects import EffectClass, RetryClass
from domain.mcp import SERVER_NAME, Approval, Listed, McpOauth, McpServer, McpTool, ToolState, Transport, drift
from domain.model import Value

ServerInPath = Annotated[str, Path(pattern=SERVER_NAME, description="a server's name")]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class ServerView(Value):
    """A server. `files` are told by name and size; secrets are named, never shown."""

    name: str
    transport: Transport
    command: tuple[str, ...]
    files: dict[str, int]
    environment: dict[str, str]
    sandbox: str
    url: str | None
    headers: dict[str, str]
    oauth: McpOauth | None
    description: str
    result_bytes_max: int
    revision: int
    created_by: str
    created_at: str
    checked_at: str | None
    problem: str | None
    authorized: bool


class ApprovedView(Value):
    """What a person allowed of a tool."""

    pin: str
    version: str
    effect_class: EffectClass
    retry_class: RetryClass
    timeout_s: float
    cost_usd_micros: int
    by: str
    at: str


class ToolView(Value):
    """A tool as its server lists it now, and what was approved.

    `pin` is what an approval names. `hidden` are places of characters that a screen would not show: with any, it cannot be approved.
    `changed` says what is another than was approved.
    """

    name: str
    tool: str
    state: ToolState
    pin: str | None
    description: str | None
    input_schema: dict[str, JsonValue] | None
    output_schema: dict[str, JsonValue] | None
    annotations: dict[str, JsonValue] | None
    hidden: list[str]
    changed: str | None
    approved: ApprovedView | None
    quarantined_at: str | None
    reason: str | None


class ServerDetail(ServerView):
    """A server with its tools."""

    tools: tuple[ToolView, ...]


class ServerRemoved(Value):
    """The answer to a removal."""

    name: str
    removed: bool = True


class ApprovalBody(Approval):
    """A tool to approve: `tool` is its name here, `mcp.<server>.<tool>`."""

    tool: Annotated[str, StringConstraints(max_length=200)]


class QuarantineBody(Value):
    """A tool that may not be called any more, and why."""

    tool: Annotated[str, StringConstraints(max_length=200)]
    reason: Reason


class AuthorizationBody(Value):
    """Where the answer comes: `http://127.0.0.1:PORT/callback` on the machine of the person who authorizes."""

    redirect_uri: Annotated[str, StringConstraints(max_length=200)]


class AuthorizationBegun(Value):
    """The page to open in a browser."""

    url: str


class AuthorizationAnswer(Value):
    """What came back to the redirect URI."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=4096)]
    state: Annotated[str, StringConstraints(min_length=16, max_length=200)]
    iss: Annotated[str, StringConstraints(max_length=500)] | None = None


class SecretBody(Value):
    """Where a value lies: `env:NAME`, `file:/path` or `vault:MOUNT/PATH#KEY`; never the value."""

    reference: Annotated[str, Field(min_length=1, max_length=500)]


class SecretView(Value):
    """A secret by name and environment; no value is ever shown, nor is there one here."""

    name: str
    environment: str
    reference: str
    set_by: str
    set_at: str


class SecretList(Value):
    """All of a tenant's, by environment, then name."""

    items: tuple[SecretView, ...]


class SecretRemoved(Value):
    """The answer to a removal."""

    name: str
    environment: str
    removed: bool = True


def server_view(server: McpServer) -> ServerView:
    """Return a server as it is shown."""
    told = server.model_dump(include=set(ServerView.model_fields) - {"files"})
    return ServerView(**told, files={name: len(text.encode()) for name, text in sorted(server.files.items())})


def server_detail(server: McpServer, tools: list[McpTool]) -> ServerDetail:
    """Return a server with its tools."""
    return ServerDetail(**server_view(server).model_dump(), tools=tuple(tool_view(tool) for tool in tools))


def tool_view(tool: McpTool) -> ToolView:
    """Return a tool as it is shown."""
    seen, approved = tool.seen, tool.approved
    return ToolView(
        name=tool.wire_name,
        tool=tool.tool,
        state=tool.state,
        pin=None if seen is None else seen.pin,
        description=None if seen is None else seen.description,
        input_schema=None if seen is None else seen.input_schema,
        output_schema=None if seen is None else seen.output_schema,
        annotations=None if seen is None else seen.annotations,
        hidden=[] if seen is None else seen.hidden,
        changed=None if approved is None else drift(approved, _listed(seen)),
        approved=None
        if approved is None
        else ApprovedView(
            pin=approved.listed.pin,
            version=f"{approved.version}.0.0",
            **approved.model_dump(include={"effect_class", "retry_class", "timeout_s", "cost_usd_micros", "by", "at"}),
        ),
        quarantined_at=tool.quarantined_at,
        reason=tool.reason,
    )


def _listed(seen: Listed | None) -> list[Listed]:
    return [] if seen is None else [seen]
