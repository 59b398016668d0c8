"""What the gateway answers about MCP servers, their tools, and references of secrets. Times are RFC 3339 UTC."""

from pydantic import JsonValue

from standfast_client.models import Received


class McpServer(Received):
    """A registered MCP server; secrets are named, never shown. `problem` is what went wrong when it was asked last."""

    name: str
    transport: str
    command: list[str] = []
    files: dict[str, int] = {}
    environment: dict[str, str] = {}
    sandbox: str = ""
    url: str | None = None
    headers: dict[str, str] = {}
    oauth: dict[str, JsonValue] | None = None
    description: str = ""
    result_bytes_max: int = 0
    revision: int
    created_by: str
    created_at: str
    checked_at: str | None = None
    problem: str | None = None
    authorized: bool = False
    tools: list["McpTool"] = []


class McpApproved(Received):
    """What a person allowed of a tool."""

    pin: str
    version: str
    effect_class: str
    retry_class: str
    timeout_s: float
    cost_usd_micros: int = 0
    by: str
    at: str


class McpTool(Received):
    """A tool as its server lists it, and what was approved; `hidden` are places of characters that a screen would not show."""

    name: str
    tool: str
    state: str
    pin: str | None = None
    description: str | None = None
    input_schema: dict[str, JsonValue] | None = None
    output_schema: dict[str, JsonValue] | None = None
    annotations: dict[str, JsonValue] | None = None
    hidden: list[str] = []
    changed: str | None = None
    approved: McpApproved | None = None
    quarantined_at: str | None = None
    reason: str | None = None


class McpServerRemoved(Received):
    """The answer to a removal."""

    name: str
    removed: bool = True


class McpAuthorization(Received):
    """The page to open in a browser."""

    url: str


class SecretReference(Received):
    """A secret by name and environment, and where its value lies."""

    name: str
    environment: str
    reference: str
    set_by: str
    set_at: str


class SecretReferences(Received):
    """All of a tenant's."""

    items: list[SecretReference]


class SecretRemoved(Received):
    """The answer to a removal."""

    name: str
    environment: str
    removed: bool = True
