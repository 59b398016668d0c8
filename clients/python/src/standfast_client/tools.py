"""What the gateway answers about tools, grants, and the audit of calls. Times are RFC 3339 UTC."""

from pydantic import JsonValue

from standfast_client.models import Received


class ToolChange(Received):
    """What was said of a version of a tool, and why."""

    state: str
    reason: str
    by: str
    at: str


class Tool(Received):
    """A version of a tool. `source` is `installed` or `registered`; `state` is `active`, `quarantined` or `retired`."""

    name: str
    version: str
    description: str
    kind: str = "builtin"
    source: str = "installed"
    state: str = "active"
    effect_class: str
    retry_class: str = "idempotent"
    input_schema: dict[str, JsonValue] = {}
    output_schema: dict[str, JsonValue] = {}
    egress: list[str] = []
    secrets: list[str] = []
    url_arguments: list[str] = []
    sensitive_arguments: list[str] = []
    trust: str = "untrusted"
    cost_usd_micros: int = 0
    timeout_s: float = 30.0
    docs: str = ""
    sha256: str | None = None
    registered_at: str | None = None
    registered_by: str | None = None
    declaration: dict[str, JsonValue] | None = None
    changes: list[ToolChange] = []


class SkippedOperation(Received):
    """An operation of an OpenAPI document that no tool was made of."""

    operation: str
    reason: str


class ImportedTools(Received):
    """The tools made of an OpenAPI document."""

    tools: list[Tool]
    skipped: list[SkippedOperation] = []


class ToolGrant(Received):
    """Who may call which tools; one that was taken back leaves them closed."""

    grant: str
    tools: list[str]
    agents: list[str]
    roles: list[str]
    reason: str = ""
    granted_by: str = ""
    granted_at: str = ""
    revoked_by: str | None = None
    revoked_at: str | None = None


class CallForm(Received):
    """The form of a call's arguments; `hosts` are the sites that addresses among them name."""

    bytes: int = 0
    shape: list[str] = []
    hosts: list[str] = []


class ToolCall(Received):
    """One attempt at a call of a tool."""

    run: str
    seq: int
    step: str | None = None
    call: str | None = None
    tool: str
    version: str
    agent: str | None = None
    principal: str
    verdict: str
    code: str | None = None
    attempt: int = 1
    arguments_digest: str | None = None
    result_digest: str | None = None
    cost_usd_micros: int = 0
    form: CallForm = CallForm()
    at: str


class ToolAnomaly(Received):
    """A call unlike the usual ones; `quarantined` says that its tool was held back for it."""

    kind: str
    run: str
    seq: int
    tool: str
    version: str
    agent: str | None = None
    detail: str
    at: str
    found_at: str | None = None
    quarantined: bool = False


class ToolsRegistered(Received):
    """What was registered."""

    tools: list[Tool]


class ToolsListed(Received):
    """The tools there are."""

    items: list[Tool]
