"""A definition as the stepper reads it: typed steps, pinned tools, config snapshot, and the projections of each output. Pure.

A `Program` is plain JSON. It is compiled from a registered definition when a run starts and never changes within the run:
nothing resolves mid-run (JOURNAL §10). Strings may hold `${ }` expressions (`domain/expressions.py`).

Step paths are dotted names. In expressions `steps.<path>` is `{status, output}` plus the steps inside, so `status` and `output`
are no step names. A saga's, do's or switch's output is the map of its steps' outputs.
"""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from domain.approval_rules import OnTimeout, ReviewerGroup, Reviewers, Rung
from domain.budget import BudgetRule
from domain.effects import EffectClass, RetryClass
from domain.fallbacks import Fallback
from domain.model import Wire
from domain.tasks import TaskTerms
from domain.tools import ToolKind, Trust

Execution = Literal["segment", "steps"]
"""How consecutive calls run: `steps` gives each an activity of its own, `segment` several of them one (JOURNAL §12)."""


class RetryRule(Wire):
    """How often a step's activity is tried; delays in seconds, multiplied by `backoff` and bounded by `max_delay_s`."""

    max_attempts: int = Field(default=5, ge=1, le=10)
    delay_s: float = Field(default=1.0, gt=0)
    backoff: float = Field(default=2.0, ge=1)
    max_delay_s: float = Field(default=30.0, gt=0)


class PinnedTool(Wire):
    """A tool as it was when the run started: the parts of its spec that workflow code needs."""

    name: str
    version: str
    description: str
    input_schema: dict[str, JsonValue]
    effect_class: EffectClass
    retry_class: RetryClass
    timeout_s: float
    heartbeat_s: float | None = None
    max_attempts: int = 5
    cost_usd_micros: int = 0
    kind: ToolKind = "builtin"
    egress: tuple[str, ...] = ()
    url_arguments: tuple[str, ...] = ()
    sensitive_arguments: tuple[str, ...] = ()
    bindable: tuple[str, ...] = ()
    trust: Trust = "untrusted"
    declaration: dict[str, JsonValue] | None = Field(
        default=None, description="the declaration of a bundle's http tool; it travels with each call"
    )

    @property
    def guarded(self) -> list[str]:
        """The dotted arguments that no untrusted source may choose by itself: recipients, URLs, amounts, commands, queries."""
        return list(dict.fromkeys((*self.sensitive_arguments, *self.url_arguments, *self.bindable)))


class StepCommon(Wire):
    """What every step may say. `when` is the CEL of `if`; `timeout_s` bounds the whole step; `execution` overrides the program's."""

    path: str
    when: str | None = None
    timeout_s: float | None = None
    retry: RetryRule | None = None
    summary: str | None = None
    output_as: JsonValue = None
    execution: Execution | None = None
    budget: BudgetRule | None = None
    forward: bool = Field(default=False, description="it stands after its saga's pivot: once that is done, nothing stops this step")


class Compensation(Wire):
    """The undo of a saga step: a call whose arguments may read the step's own output (`has(…)` when it may be missing).

    `retry` says how often it is tried before a person is asked; without it, many times within a day.
    """

    tool: str
    arguments: JsonValue
    if_unknown: Literal["compensate", "ask"] = "ask"
    retry: RetryRule | None = None


class CallStep(StepCommon):
    """One tool call. A saga's `pivot` decides it: before, everything can be undone, after it everything is `retriable` until done."""

    kind: Literal["call"] = "call"
    tool: str
    arguments: JsonValue = {}
    compensate: Compensation | None = None
    pivot: bool = False
    retriable: bool = False


class AgentPin(Wire):
    """The version of a registered agent that a run uses, as it was when the run started."""

    name: str
    version: str
    sha256: str


class AgentStep(StepCommon):
    """A loop of model and tools. `instructions` is the inlined prompt text (with `${ }`), `tools` are names.

    With `uses` (`name` or `name@range`) it is a registered agent: `pin` says which, its instructions stay in the registry, and `variables`
    are what they read. `fallbacks` take over from `model` for their reasons; a call that may cost more than `max_call_usd_micros` goes to
    the next one that does on price. `attachments` are places of files: `input.<path>` or `steps.<step>.output.<path>`.
    """

    kind: Literal["agent"] = "agent"
    uses: str | None = None
    pin: AgentPin | None = None
    variables: JsonValue = None
    model: str
    instructions: str
    instructions_sha256: str = ""
    input: JsonValue = None
    tools: list[str] = []
    max_turns: int = Field(default=8, ge=1, le=64)
    max_output_tokens: int = Field(default=4096, ge=1)
    output_schema: dict[str, JsonValue] | None = None
    fallbacks: list[Fallback] = []
    max_call_usd_micros: int | None = None
    temperature: float | None = None
    parallel_tools: bool | None = None
    attachments: list[str] = []
    compensate: None = None


class ApproveStep(StepCommon):
    """A question to people. `binds` are the paths of call steps whose arguments are approved; `unbound` are their arguments fed later.

    Without `reviewers` one person with `reviewer_role` decides; with them that is the first role asked. `remind_s` and the moments of
    `ladder` count from the opening, in the working time of `calendar` if there is one. `form` is the schema of an approving answer.
    With `agent_answers` a reviewer's question goes to the agent whose answer is judged, before anybody else.
    """

    kind: Literal["approve"] = "approve"
    title: str
    binds: list[str] = []
    reviewer_role: str
    exclude_requester: bool = True
    on_timeout: OnTimeout = "reject"
    unbound: list[str] = []
    reviewers: Reviewers | None = None
    remind_s: list[float] = []
    ladder: list[Rung] = []
    form: dict[str, JsonValue] | None = None
    calendar: str | None = None
    agent_answers: bool = False
    compensate: None = None

    @property
    def timed(self) -> bool:
        """Whether it asks more than one person with one deadline: such an approval carries its rules."""
        return bool(self.reviewers or self.remind_s or self.ladder or self.calendar) or self.on_timeout == "escalate"

    @property
    def asked(self) -> Reviewers:
        """Who is asked."""
        return self.reviewers or Reviewers(groups=[ReviewerGroup(role=self.reviewer_role)])


class ListenStep(StepCommon):
    """A wait for the signal `signal`; `correlate` is a template that names which one, None for any of that name."""

    kind: Literal["listen"] = "listen"
    signal: str
    correlate: str | None = None
    compensate: None = None


class TaskStep(StepCommon):
    """Work for a person. `form` is the JSON Schema of what they fill in, which is the step's output; None for nothing but doing it."""

    kind: Literal["task"] = "task"
    title: str
    instructions: str = ""
    form: dict[str, JsonValue] | None = None
    terms: TaskTerms = TaskTerms()
    on_timeout: Literal["fail", "skip"] = "fail"
    compensate: None = None


class SetStep(StepCommon):
    """A value computed by expressions; costs no activity."""

    kind: Literal["set"] = "set"
    value: JsonValue = None
    compensate: None = None


class DoStep(StepCommon):
    """Steps in sequence."""

    kind: Literal["do"] = "do"
    steps: list["Step"]
    compensate: None = None


class SwitchCase(Wire):
    """One branch; `when` is None for the default."""

    name: str
    when: str | None = None
    steps: list["Step"]


class SwitchStep(StepCommon):
    """The first branch whose condition holds; none is no failure."""

    kind: Literal["switch"] = "switch"
    cases: list[SwitchCase]
    compensate: None = None


class SagaStep(StepCommon):
    """Steps that are undone in reverse when one fails or the run is cancelled.

    In `parallel` mode they run at once. When one fails, no other begins anything more, and those under way are awaited, or cancelled
    where `on_failure` says so; then what was done is undone, latest end first, or branch beside branch where `undo` is `parallel`.
    """

    kind: Literal["saga"] = "saga"
    steps: list["Step"]
    mode: Literal["sequential", "parallel"] = "sequential"
    on_failure: Literal["await", "cancel"] = "await"
    undo: Literal["reverse", "parallel"] = "reverse"
    compensate: None = None


Step = Annotated[
    CallStep | AgentStep | ApproveStep | ListenStep | TaskStep | SetStep | DoStep | SwitchStep | SagaStep, Field(discriminator="kind")
]


class Program(Wire):
    """A compiled definition. `projections` maps a step path to the dotted output fields that expressions read ('' = whole).

    `execution` is None for quick reads in segments, and for a program of before there were any `steps`. `priced_at` (RFC 3339) is when
    its models' prices were looked up: a price that changes later is no price of this run. `subject` names whose data a run holds.
    `doubts` says who is to answer questions about its effects, and by when. `untrusted_input` are the dotted parts of the input whose text
    may be anybody's.
    """

    v: int = 1
    name: str
    version: str
    sha256: str
    expression_engine: str
    steps: list[Step]
    output: JsonValue = None
    config: dict[str, JsonValue] = {}
    tools: dict[str, PinnedTool] = {}
    projections: dict[str, list[str]] = {}
    input_projection: list[str] = []
    execution: Execution | None = "steps"
    budget: BudgetRule | None = None
    priced_at: str = ""
    subject: str | None = None
    doubts: TaskTerms | None = None
    untrusted_input: list[str] = []
