"""Tools of MCP servers: what a tenant registers, what a person approved, and whether a server still offers exactly that. Pure.

Nothing a server says is used before a person read and approved it: each tool is pinned by a digest over its name, description and
schemas, and a tool whose listing is another one is quarantined before its next call (PROOF B27).
"""

import re
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, JsonValue, model_validator

from domain.canonical import digest_hex
from domain.effects import EffectClass, RetryClass
from domain.errors import InvalidInput
from domain.model import Value
from domain.secrets import SECRET_NAME
from domain.sensitive_names import sensitive_of
from domain.tools import ToolSpec
from domain.visible_text import hidden_places

SERVER_NAME = r"^[a-z][a-z0-9_]{0,31}$"
SERVER_TOOLS = "mcp."
"""How the names of all tools of MCP servers begin; no other tool's does."""
PIN_CONTEXT = "standfast:mcp-tool:v1"
SERVERS_MAX = 50
TOOLS_MAX = 200
"""Most tools that are read from one server: a listing without an end must not fill a table."""
LISTING_BYTES_MAX = 64 * 1024
"""Largest description with its schemas that is kept of one tool."""
RESULT_BYTES_MAX = 256 * 1024
"""Default bound of a result, as JSON: about what a model can read."""
FILES_BYTES_MAX = 1024 * 1024
HEADER = re.compile(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$")
OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "content-type", "accept", "mcp-session-id"})

Transport = Literal["stdio", "http"]
ToolState = Literal["found", "approved", "quarantined", "gone"]
"""`found`: listed, and approved by nobody yet. `quarantined`: approved, and another one now. `gone`: approved, and not listed any more."""


class McpOauth(Value):
    """How tokens of a server are had. Without `client_id` this platform registers itself (RFC 7591); `scopes` are asked for."""

    client_id: str | None = Field(default=None, max_length=500)
    client_secret: str | None = Field(default=None, pattern=rf"^{SECRET_NAME.pattern}$", description="the name of a secret")
    scopes: tuple[str, ...] = ()


class McpServerDraft(Value):
    """A server as a person registers it.

    `stdio`: `command` runs in a sandbox of the profile `sandbox`, beside `files`; `environment` names variables, each the name of a secret.
    `http`: `url` is its streamable-HTTP endpoint; `headers` names headers, each the name of a secret.
    """

    name: str = Field(pattern=SERVER_NAME)
    transport: Transport
    command: tuple[str, ...] = Field(default=(), max_length=64)
    files: dict[str, str] = {}
    environment: dict[str, str] = {}
    sandbox: str = "mcp-server"
    url: str | None = None
    headers: dict[str, str] = {}
    oauth: McpOauth | None = None
    description: str = Field(default="", max_length=500)
    result_bytes_max: int = Field(default=RESULT_BYTES_MAX, ge=1024, le=8 * 1024 * 1024)

    @model_validator(mode="after")
    def _is_one_of_both(self) -> "McpServerDraft":
        """Refuse what does not belong to the transport.

        Raises:
            ValueError: with the reason.
        """
        if self.transport == "stdio":
            if not self.command or self.url or self.headers or self.oauth:
                raise ValueError("a stdio server has a command, and no url, headers or oauth")
        elif not self.url or self.command or self.files or self.environment:
            raise ValueError("an http server has a url, and no command, files or environment")
        if sum(len(text.encode()) for text in self.files.values()) > FILES_BYTES_MAX:
            raise ValueError(f"the files of a server have at most {FILES_BYTES_MAX} bytes: install larger ones on the worker")
        for name, secret in {**self.environment, **self.headers}.items():
            if not re.fullmatch(SECRET_NAME.pattern, secret):
                raise ValueError(f"{name} must name a secret (letters, digits, underscores), not hold one")
        for header in self.headers:
            if not HEADER.match(header) or header.lower() in OWN_HEADERS:
                raise ValueError(f"{header[:70]!r} is no header that can be set")
        if self.oauth is not None and any(header.lower() == "authorization" for header in self.headers):
            raise ValueError("an oauth server sends its own Authorization header: leave it out of the headers")
        return self

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secrets it is given, sorted."""
        named = {*self.environment.values(), *self.headers.values()}
        if self.oauth is not None and self.oauth.client_secret:
            named.add(self.oauth.client_secret)
        return tuple(sorted(named))

    @property
    def host(self) -> str:
        """The host it is on; empty for a stdio server."""
        return (urlsplit(self.url or "").hostname or "").lower()


class McpServer(McpServerDraft):
    """A registered server. `revision` counts its changes; `authorized` says that tokens are stored for it."""

    revision: int = 1
    created_by: str
    created_at: str
    checked_at: str | None = None
    problem: str | None = None
    authorized: bool = False


class Listed(Value):
    """A tool as its server lists it."""

    name: str
    title: str = ""
    description: str = ""
    input_schema: dict[str, JsonValue]
    output_schema: dict[str, JsonValue] = {}
    annotations: dict[str, JsonValue] = {}

    @property
    def pin(self) -> str:
        """The digest that a person approves.

        Raises:
            InvalidInput: it has no canonical JSON form.
        """
        return digest_hex(PIN_CONTEXT, self.model_dump(mode="json"))

    @property
    def hidden(self) -> list[str]:
        """Where it holds characters that a screen hides or turns around."""
        return hidden_places(self.model_dump(mode="json"))


class Approved(Value):
    """What a person allowed. `version` counts the approvals of one tool: each has a pin of its own."""

    version: int
    listed: Listed
    effect_class: EffectClass
    retry_class: RetryClass
    timeout_s: float = Field(default=60.0, gt=0, le=3600)
    heartbeat_s: float | None = 10.0
    cost_usd_micros: int = Field(default=0, ge=0)
    bindable: tuple[str, ...] = ()
    url_arguments: tuple[str, ...] = ()
    sensitive_arguments: tuple[str, ...] = ()
    by: str
    at: str


class McpTool(Value):
    """One tool of a server: what the server says now, and what was approved of it."""

    server: str
    tool: str
    wire_name: str
    state: ToolState
    seen: Listed | None
    approved: Approved | None = None
    quarantined_at: str | None = None
    reason: str | None = None


class Approval(Value):
    """What a person says of a tool: its pin, so that nobody approves what was changed meanwhile, and how it is to be used."""

    pin: str = Field(pattern=r"^[0-9a-f]{64}$")
    effect_class: EffectClass
    retry_class: RetryClass | None = None
    timeout_s: float = Field(default=60.0, gt=0, le=3600)
    cost_usd_micros: int = Field(default=0, ge=0)
    bindable: tuple[str, ...] = ()
    url_arguments: tuple[str, ...] = ()
    sensitive_arguments: tuple[str, ...] | None = None


def wire_name(server: str, tool: str) -> str:
    """Return the name under which definitions and models know a tool: `mcp.<server>.<tool>`, in the letters tools' names have.

    Raises:
        InvalidInput: nothing of the name is left.
    """
    slug = re.sub(r"[^a-z0-9_]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", tool).lower()).strip("_")
    if not slug:
        raise InvalidInput(f"a tool named {tool[:60]!r} cannot be named here: it needs a letter")
    return f"{SERVER_TOOLS}{server}.{slug if slug[0].isalpha() else f't_{slug}'}"


def seen(known: list[McpTool], server: str, listed: list[Listed], *, at: str) -> list[McpTool]:
    """Return every tool of a server after it was asked, those that are gone included; only approved ones can be quarantined.

    Raises:
        InvalidInput: two tools have one name here, or there are too many.
    """
    if len(listed) > TOOLS_MAX:
        raise InvalidInput(f"the server {server} lists {len(listed)} tools; at most {TOOLS_MAX} are taken")
    names = [wire_name(server, one.name) for one in listed]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInput(f"the server {server} lists two tools that would both be {twice[0]}: nothing of it is taken")
    before = {tool.tool: tool for tool in known if tool.server == server}
    now = [_seen_now(before.get(one.name), server, one, name, at=at) for one, name in zip(listed, names, strict=True)]
    present = {one.name for one in listed}
    missing = [tool for name, tool in sorted(before.items()) if name not in present]
    return now + [_gone(tool, at=at) for tool in missing if tool.approved is not None]


def drift(approved: Approved, listed: list[Listed]) -> str | None:
    """Return what a server changed of an approved tool since, or None."""
    now = next((one for one in listed if one.name == approved.listed.name), None)
    if now is None:
        return "the server does not list it any more"
    was = approved.listed.model_dump(mode="json")
    changed = [name for name, value in now.model_dump(mode="json").items() if value != was[name]]
    return f"its {' and '.join(changed)} changed after it was approved" if changed else None


def spec_of(tool: McpTool, server: McpServer) -> ToolSpec | None:
    """Return what the platform sees of a tool; None unless it is approved now."""
    approved = tool.approved
    if approved is None or tool.state != "approved":
        return None
    return ToolSpec(
        name=tool.wire_name,
        version=f"{approved.version}.0.0",
        description=approved.listed.description,
        input_schema=approved.listed.input_schema,
        effect_class=approved.effect_class,
        retry_class=approved.retry_class,
        timeout_s=approved.timeout_s,
        heartbeat_s=approved.heartbeat_s,
        bindable=approved.bindable,
        cost_usd_micros=approved.cost_usd_micros,
        kind="mcp",
        egress=(server.host,) if server.host else (),
        secrets=server.secrets,
        url_arguments=approved.url_arguments,
        sensitive_arguments=approved.sensitive_arguments,
        sandbox=server.sandbox if server.transport == "stdio" else None,
    )


def approved(tool: McpTool, given: Approval, *, by: str, at: str) -> McpTool:
    """Return the tool with an approval of what its server lists now.

    Raises:
        InvalidInput: it is another one than was read, is not listed, or holds characters that a screen hides.
    """
    if tool.seen is None or tool.state == "gone":
        raise InvalidInput(f"{tool.wire_name} is not listed by its server now", where="/tool")
    if tool.seen.pin != given.pin:
        raise InvalidInput(f"{tool.wire_name} is not what you read: its pin is {tool.seen.pin} now; read it again", where="/pin")
    if hidden := tool.seen.hidden:
        raise InvalidInput(f"{tool.wire_name} holds characters that a screen hides ({'; '.join(hidden[:5])}): it cannot be approved")
    retry = given.retry_class or (RetryClass.AT_MOST_ONCE if given.effect_class.changes_world else RetryClass.IDEMPOTENT)
    told = given.model_dump(exclude={"pin", "retry_class", "sensitive_arguments"})
    guarded = sensitive_of(given.sensitive_arguments, given.effect_class, tool.seen.input_schema)
    version = 1 if tool.approved is None else tool.approved.version + 1
    made = Approved(**told, sensitive_arguments=guarded, version=version, listed=tool.seen, retry_class=retry, by=by, at=at)
    return tool.model_copy(update={"state": "approved", "approved": made, "quarantined_at": None, "reason": None})


def quarantined(tool: McpTool, reason: str, *, at: str) -> McpTool:
    """Return the tool as it stands after it was found to be another one; the first reason stays."""
    if tool.state == "quarantined":
        return tool
    return tool.model_copy(update={"state": "quarantined", "quarantined_at": at, "reason": reason})


def _seen_now(tool: McpTool | None, server: str, listed: Listed, name: str, *, at: str) -> McpTool:
    if tool is None:
        return McpTool(server=server, tool=listed.name, wire_name=name, state="found", seen=listed)
    now = tool.model_copy(update={"seen": listed})
    if tool.approved is None:
        return now.model_copy(update={"state": "found"})
    changed = drift(tool.approved, [listed])
    if changed is not None:
        return quarantined(now, changed, at=at)
    return now if tool.state == "quarantined" else now.model_copy(update={"state": "approved", "reason": None})


def _gone(tool: McpTool, *, at: str) -> McpTool:
    if tool.state in ("gone", "quarantined"):
        return tool
    return tool.model_copy(update={"state": "gone", "quarantined_at": at, "reason": "the server does not list it any more"})
