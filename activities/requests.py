"""The `request` part of each activity's envelope, typed; workflows build them, activities read them. Wire contracts."""

from pydantic import AliasChoices, Field, JsonValue

from domain.approval import Decision
from domain.completion import TaskCompletion
from domain.effects import EffectClass, RetryClass
from domain.fallbacks import Fallback, ModelChain
from domain.model import Wire
from domain.policy_input import AgentInput, CallInput
from domain.program import AgentPin
from domain.provider import ToolSchema
from domain.runs import Projection
from domain.state import ArgumentsFrom
from domain.stores import ConversationHead

CALL_TOOL = "standfast.call_tool"
COMPLETE_PROMPT = "standfast.complete_prompt"
FLUSH_FACTS = "standfast.flush_facts"
CHECK_DECISION = "standfast.check_decision"
CHECK_COMPLETION = "standfast.check_completion"
RESOLVE_EFFECT = "standfast.resolve_effect"
RESOLVE_CALENDAR = "standfast.resolve_calendar"

KEEP_LISTENER = "standfast.keep_listener"
RUN_SEGMENT = "standfast.run_segment"

EFFECTS = frozenset({CALL_TOOL, COMPLETE_PROMPT})
"""Activities that touch the outside: the journal interceptor stands around each (JOURNAL §2)."""


class FlushRequest(Wire):
    """Write the facts, and the projection with them; `fact_seq` orders projections."""

    projection: Projection
    fact_seq: int


class ToolRequest(Wire):
    """Call a tool.

    `approval` names the approval whose bound call this is, and `closing` closes it in the inbox, if nothing has yet; `max_attempts`
    counts the tool's own tries, `tried` those made in a segment.
    """

    tool: str
    version: str
    arguments: dict[str, JsonValue] = {}
    arguments_from: ArgumentsFrom | None = None
    effect_class: EffectClass
    retry_class: RetryClass
    max_attempts: int = 5
    tried: int = 0
    approval: str | None = None
    closing: FlushRequest | None = None
    declaration: dict[str, JsonValue] | None = None
    cost_usd_micros: int = 0
    simulate: bool = False
    simulated_from: str | None = None
    agent: str | None = None
    policy: CallInput | None = None


class PromptTool(ToolSchema):
    """A tool as the model sees it, with its pinned version."""

    version: str


class AgentUse(AgentPin):
    """The registered agent that a model call is of, and what its instructions read."""

    variables: dict[str, JsonValue] = {}


class PromptRequest(Wire):
    """Call a model.

    `append` are the messages since `head`: `{kind: user, value, attachments}`, `{kind: reply, ref}`, `{kind: tool, vendor_id, ref | error,
    bytes}`, `{kind: transcript, conversation, head, ref, of}` of an agent that handed its task on; attachments are `{ref, path}`
    (domain/attachments.py). `known_tokens` is what the provider counted of the conversation so far, its last answer included. With
    `behind`, the name of another step's conversation, `head` is of that one, and `append` is added to the request alone: the conversation
    stays as it was. The instructions of a registered `agent` are put in by the worker, before the intent.
    """

    model: str
    instructions: str
    instructions_sha256: str = ""
    agent: AgentUse | None = Field(default=None, exclude_if=lambda used: used is None)
    tools: list[PromptTool] = []
    output_schema: dict[str, JsonValue] | None = None
    max_output_tokens: int = 4096
    fallbacks: list[Fallback] = []
    max_call_usd_micros: int | None = None
    temperature: float | None = None
    parallel_tools: bool | None = None
    known_tokens: int = 0
    behind: str | None = None
    head: ConversationHead
    append: list[dict[str, JsonValue]]
    policy: AgentInput | None = None
    max_attempts: int = 5

    @property
    def chain(self) -> ModelChain:
        """The models that may answer."""
        return ModelChain(model=self.model, fallbacks=tuple(self.fallbacks), max_call_usd_micros=self.max_call_usd_micros)

    def asked(self) -> dict[str, JsonValue]:
        """Return what decides whether a recorded outcome answers this request; what a request of before did not say is left out."""
        later = {"fallbacks", "max_call_usd_micros", "temperature", "parallel_tools"}
        said = self.model_dump(mode="json", exclude={"max_attempts", "known_tokens", "policy"})
        return {name: value for name, value in said.items() if name not in later or value not in (None, [])}


class FittingCheck(Wire):
    """A value that must fit a JSON Schema; `what` names it in a refusal."""

    what: str
    value: JsonValue
    schema_of_it: dict[str, JsonValue]


class DecisionRequest(Wire):
    """Check a decision against the live world: attestation, platform role, reviewer roles, schemas.

    `asked` are the roles that may decide now, `roles` all that may come to; without them `reviewer_role` alone. `delegators` have handed
    their vote to the principal, `voted` have given theirs, and who has one of `lead_roles` may extend.
    """

    decision: Decision
    reviewer_role: str
    exclude_requester: bool
    requester: str
    asked: list[str] = []
    roles: list[str] = []
    lead_roles: list[str] = []
    delegators: list[str] = []
    voted: list[str] = []
    fitting: list[FittingCheck] = []


class CompletionRequest(Wire):
    """Check that an answer to a human task came through the gateway."""

    completion: TaskCompletion


class ListenerRequest(Wire):
    """Open or close the row by which a signal from outside finds a listening step; `fact_seq` orders what is said of it."""

    step: str
    visit: int
    signal: str
    key: str
    opened: bool
    fact_seq: int = 0


class ResolveRequest(Wire):
    """Apply a person's answer about an effect in doubt."""

    happened: bool
    output: JsonValue = None
    completed_by: str


class CalendarRequest(Wire):
    """Resolve offsets of working time, in seconds from the instant `from` (RFC 3339), in a calendar named `name` or `name@version`."""

    calendar: str
    since: str = Field(validation_alias=AliasChoices("from", "since"))
    offsets_s: list[float]
