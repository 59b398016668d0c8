"""The tool port: what a tool declares, and one call of it. Pure."""

from typing import Final, Literal, Protocol, cast

from pydantic import Field, JsonValue

from domain.budget import AMOUNT_MAX
from domain.effects import EffectClass, RetryClass
from domain.envelope import Usage
from domain.labels import Label
from domain.model import Value, Wire

TOOL_NAME: Final = r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$"
"""A tool's name: words in lower case, joined by dots."""
ToolKind = Literal["python", "http", "mcp", "container", "wasm", "builtin"]
"""How a tool is made: a Python function or code, a declared REST call, a tool of an MCP server, a container, a module, or a part of
the platform."""
Trust = Literal["trusted", "untrusted"]
"""Whether text in a tool's results may steer what an agent does."""


class ToolSpec(Value):
    """What a tool declares. Schemas are JSON Schema 2020-12; `timeout_s` bounds one attempt.

    `bindable` names argument fields that may not be left unbound by an approval (amount, recipient, URL). `cost_usd_micros` is what
    one call costs. `egress` are patterns of the hosts it speaks to, `secrets` the names of those it is given. `url_arguments` and
    `sensitive_arguments` (recipient, amount, command, query) name arguments, dotted where they lie deeper; `trust` is that of its results.
    """

    name: str = Field(pattern=TOOL_NAME)
    version: str
    description: str
    input_schema: dict[str, JsonValue]
    output_schema: dict[str, JsonValue] = {}
    effect_class: EffectClass
    retry_class: RetryClass = RetryClass.IDEMPOTENT
    timeout_s: float = 30.0
    heartbeat_s: float | None = None
    max_attempts: int = 5
    sandbox: str | None = None
    bindable: tuple[str, ...] = ()
    cost_usd_micros: int = Field(default=0, ge=0, le=AMOUNT_MAX)
    kind: ToolKind = "builtin"
    egress: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    url_arguments: tuple[str, ...] = ()
    sensitive_arguments: tuple[str, ...] = ()
    trust: Trust = "untrusted"
    docs: str = ""

    @property
    def guarded(self) -> tuple[str, ...]:
        """The dotted arguments that no untrusted source may choose by itself: recipients, URLs, amounts, commands, queries."""
        return tuple(dict.fromkeys((*self.sensitive_arguments, *self.url_arguments, *self.bindable)))


class ToolCall(Wire):
    """One call. `idempotency_key` is stable over attempts; hand it outside. `deadline_s` is this attempt's own bound.

    `agent` names the agent that asked, None for a step of the definition itself; `principal` is whose run it is, with its `roles` now.
    `labels` say where what lies behind the call comes from: whoever stores an argument, or hands it to another run, keeps them with it.
    """

    tool: str
    version: str
    arguments: dict[str, JsonValue]
    idempotency_key: str
    correlation_id: str
    tenant: str
    run: str
    deadline_s: float
    agent: str | None = None
    principal: str | None = None
    roles: tuple[str, ...] = ()
    labels: tuple[Label, ...] = ()


class Tool(Protocol):
    """A callable tool; built-ins and plugins enter by the entry-point group `standfast.tools`."""

    @property
    def spec(self) -> ToolSpec:
        """What the tool declares."""
        ...

    async def call(self, call: ToolCall) -> JsonValue:
        """Do it once and return the result; cancelling the coroutine must stop it.

        Raises:
            ToolFailed: another attempt will not help (4xx, bad arguments).
            ToolUnavailable: it surely did not happen and another attempt may help (429, refused connection).
            ToolTimedOut: whether it happened is unknown.
        """
        ...


class MeteredTool(Tool, Protocol):
    """A tool that knows only afterwards what a call used; it is settled with the call, on top of what the tool declares."""

    async def call_metered(self, call: ToolCall) -> tuple[JsonValue, Usage]:
        """Do it once; return the result and what it used. Raises: what `call` raises."""
        ...


def metered(tool: Tool) -> MeteredTool | None:
    """Return the tool if it meters its calls; `isinstance` would look the whole protocol up, at every call."""
    return cast("MeteredTool", tool) if hasattr(tool, "call_metered") else None


class DeclaredTools(Protocol):
    """Makes tools from declarations that travel with a run: the http tools of its definition's bundle."""

    def tool(self, declaration: dict[str, JsonValue]) -> Tool:
        """Return the tool of a declaration. Raises: ToolFailed when it is none of this version's."""
        ...


class ToolBox(Protocol):
    """All tools of a worker."""

    def specs(self) -> list[ToolSpec]:
        """Every tool, sorted by name, then version."""
        ...

    def find(self, name: str, version: str) -> Tool:
        """Return the tool.

        Raises:
            ToolFailed: this worker has no such tool or version; the message lists what it has.
        """
        ...
