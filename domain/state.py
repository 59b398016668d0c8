"""The stepper's state, its commands and the outcomes that come back; plain JSON, also the continue-as-new input (DESIGN §15). Pure."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from domain.approval import OpenApproval, TakenDecision
from domain.effects import EffectClass, RetryClass
from domain.envelope import Receipt, Usage
from domain.facts import Fact
from domain.labels import Label
from domain.model import Wire
from domain.policy_input import CallInput
from domain.program import RetryRule
from domain.provenance import ArgumentOrigin
from domain.runs import RunStatus
from domain.signals import Signal
from domain.tasks import TaskProjection


class StepStatus(StrEnum):
    """How far a step is."""

    ENTERED = "entered"
    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"
    FAILED = "failed"


class Failure(Wire):
    """Why a step failed. `unknown` says that its effect may have happened all the same."""

    code: str
    detail: str
    step: str = ""
    unknown: bool = False


class StepRecord(Wire):
    """What is known of a step: a reference and the projected fields, never the whole output. `deadline` is RFC 3339 UTC.

    `labels` say where parts of its output come from, by dotted name ('' is the whole), if anything in it is untrusted.
    """

    visit: int = 1
    status: StepStatus
    ref: str | None = None
    digest: str | None = None
    fields: dict[str, JsonValue] = {}
    deadline: str | None = None
    failure: Failure | None = None
    chosen: str | None = None
    labels: dict[str, list[Label]] = Field(default={}, exclude_if=lambda labels: not labels)


class AgentCall(Wire):
    """One tool call of the running turn; `result` names its output of so many `bytes`, `error` is what the model is told instead.

    `part` is the key of the output that the model is told alone, such as the answer of another agent; `note` is told before the output.
    `steered` are the sensitive arguments that an untrusted source may have chosen.
    """

    index: int
    vendor_id: str
    tool: str
    result: str | None = None
    error: str | None = None
    bytes: int = 0
    open: bool = True
    part: str | None = None
    note: str | None = Field(default=None, exclude_if=lambda note: note is None)
    steered: list[str] = Field(default=[], exclude_if=lambda steered: not steered)


class AgentState(Wire):
    """An agent step's conversation: how many messages, the digest over them, its tokens, and the calls of the running turn.

    `variables` are what a registered agent's instructions read. `before` are messages that stand before the first question; `handed_to` is
    the agent that this one handed its task to. `taint` is where all that the conversation holds comes from.
    """

    turn: int = 0
    head_count: int = 0
    head_digest: str = ""
    reply_ref: str | None = None
    known_tokens: int = 0
    calls: list[AgentCall] = []
    repaired: bool = False
    variables: dict[str, JsonValue] = {}
    before: list[dict[str, JsonValue]] = []
    handed_to: str = ""
    taint: list[Label] = Field(default=[], exclude_if=lambda taint: not taint)


UndoEnd = Literal["undone", "by_hand", "not_happened", "given_up"]
"""How undoing a step ended: by its compensation, by a person; there was nothing to undo; or a person let it stand."""


class Undo(Wire):
    """A registered compensation. `known` says what is known of its step: it happened, may have, or surely did not."""

    step: str
    tool: str
    arguments: JsonValue
    if_unknown: Literal["compensate", "ask"]
    known: Literal["pending", "happened", "unknown", "not"] = "pending"
    called_with: dict[str, JsonValue] | None = None
    retry: RetryRule | None = None


class RenderedUndo(Wire):
    """A compensation ready to run; `problem` says why its arguments could not be computed. `visit` is that of the step it undoes.

    `tried` counts its tries before this unwinding: a redrive ends the last of them under its own key. Those of one `lane` are undone one
    after the other, lanes beside each other. Without `policy` nobody knows where its arguments come from.
    """

    step: str
    visit: int = 1
    tool: str
    arguments: dict[str, JsonValue] = {}
    known: Literal["happened", "unknown"]
    if_unknown: Literal["compensate", "ask"]
    problem: str | None = None
    tried: int = 0
    retry: RetryRule | None = None
    lane: str = ""
    policy: CallInput | None = Field(default=None, exclude_if=lambda policy: policy is None)


class ArgumentsFrom(Wire):
    """Where a model's large arguments lie: the call at `index` of the reply stored under `ref`."""

    ref: str
    index: int


class SimulatedAnswer(Wire):
    """What a simulated call of one step answers when its request has this digest: the parent's outcome, stored under `ref`."""

    digest: str
    ref: str


class Simulation(Wire):
    """What changes the world is not done in this run, only recorded as simulated; `answers` are the parent's outcomes by step."""

    answers: dict[str, SimulatedAnswer] = {}


class CallTool(Wire):
    """Ask for one tool call. A simulated one answers `simulated_from`, or values made from the tool's output schema.

    One that is `pivot` is not cut once it has begun, and a person says what became of it if nobody else knows. One that is `forward`
    stands after a pivot: it is tried until it is done, whatever is asked of the run; `problem` says why it has no arguments.
    """

    kind: Literal["call_tool"] = "call_tool"
    id: str
    step: str
    visit: int
    call: str
    tool: str
    version: str
    arguments: dict[str, JsonValue]
    arguments_from: ArgumentsFrom | None = None
    effect_class: EffectClass
    retry_class: RetryClass
    timeout_s: float
    heartbeat_s: float | None = None
    max_attempts: int
    cost_usd_micros: int = 0
    retry: RetryRule | None = None
    deadline: str | None = None
    project: list[str] = []
    approval: str | None = None
    declaration: dict[str, JsonValue] | None = None
    simulate: bool = False
    simulated_from: str | None = None
    summary: str = ""
    pivot: bool = False
    forward: bool = False
    problem: str | None = None
    agent: str | None = None
    policy: CallInput | None = None


class CompletePrompt(Wire):
    """Ask for one model call; `request` is what the activity `standfast.complete_prompt` reads."""

    kind: Literal["complete_prompt"] = "complete_prompt"
    id: str
    step: str
    visit: int
    call: str
    request: dict[str, JsonValue]
    project: list[str]
    retry: RetryRule | None = None
    deadline: str | None = None
    summary: str = ""


class AskApproval(Wire):
    """Ask people."""

    kind: Literal["ask_approval"] = "ask_approval"
    id: str
    step: str
    visit: int
    approval: OpenApproval
    unbound: list[str] = []
    provenance: list[ArgumentOrigin] = []
    conversation: str | None = None
    answer_ref: str | None = None
    summary: str = ""


class Listen(Wire):
    """Wait for a signal; `key` is what its key must equal if it has one. It ends by the signal, its deadline or a cancellation."""

    kind: Literal["listen"] = "listen"
    id: str
    step: str
    visit: int
    signal: str
    key: str | None = None
    deadline: str | None = None
    summary: str = ""


class AskPerson(Wire):
    """Put a task before people; it ends by an answer, by its deadline or a cancellation."""

    kind: Literal["ask_person"] = "ask_person"
    id: str
    step: str
    visit: int
    task: TaskProjection
    deadline: str | None = None
    summary: str = ""


class Unwind(Wire):
    """Undo a saga: `undo` in the order to run, latest first."""

    kind: Literal["unwind"] = "unwind"
    id: str
    step: str
    undo: list[RenderedUndo]


class Finish(Wire):
    """The run ends."""

    kind: Literal["finish"] = "finish"
    id: str = "finish"
    status: RunStatus
    output: JsonValue = None
    error: dict[str, str] | None = None


Command = Annotated[CallTool | CompletePrompt | AskApproval | Listen | AskPerson | Unwind | Finish, Field(discriminator="kind")]


class Done(Wire):
    """A command's activity completed."""

    kind: Literal["done"] = "done"
    command: str
    receipt: Receipt


class Failed(Wire):
    """A command failed for good."""

    kind: Literal["failed"] = "failed"
    command: str
    failure: Failure


class Decided(Wire):
    """An approval ended: by people, or by its deadline (`timed_out`)."""

    kind: Literal["decided"] = "decided"
    command: str
    verdict: Literal["approve", "reject", "timed_out", "withdrawn"]
    decision_id: str | None = None
    decided_by: str | None = None
    comment: str = ""


class Answered(Wire):
    """A task of a person ended: they filled in `output`, which is stored under `ref`, or its time was over."""

    kind: Literal["answered"] = "answered"
    command: str
    resolution: Literal["completed", "timed_out"]
    output: JsonValue = None
    ref: str | None = None
    by: str = ""


class Unwound(Wire):
    """A saga's compensations have all been run, or settled by a person; `ended` says how, by step."""

    kind: Literal["unwound"] = "unwound"
    command: str
    ended: dict[str, UndoEnd] = {}


class Signalled(Wire):
    """A signal came from outside; it belongs to no command until a step listens for it."""

    kind: Literal["signalled"] = "signalled"
    signal: Signal


class CancelRequested(Wire):
    """The run shall end; what is in flight is being cancelled. `by_hand`: an operator asked for that, and it ends as failed."""

    kind: Literal["cancel_requested"] = "cancel_requested"
    by_hand: bool = False


Outcome = Annotated[Done | Failed | Decided | Answered | Unwound | Signalled | CancelRequested, Field(discriminator="kind")]


class Tick(Wire):
    """What the shell knows and the domain may not ask for: workflow time (RFC 3339 UTC) and 32 fresh hex characters."""

    now: str
    entropy: str


class RunContext(Wire):
    """Who runs: handed to the stepper once. `input_labels` are those of the input's dotted parts that are not the user's own."""

    tenant: str
    run: str
    principal: str
    input: JsonValue
    input_labels: dict[str, list[Label]] = {}


class BoundArguments(Wire):
    """Arguments a reviewer approved for a call step; `unbound` names those still to be evaluated."""

    approval: str
    arguments: dict[str, JsonValue]
    unbound: list[str] = []


class State(Wire):
    """Everything the stepper remembers. `visits` says which visit a step is entered with, where that is not its first.

    `tried` has commands that were tried before their activity: by a segment that stopped at them, or by an execution before this one.
    `undone` says how undoing a step ended; `by_hand` that an operator asked for the compensations.
    """

    v: int = 1
    epoch: int = 1
    steps: dict[str, StepRecord] = {}
    visits: dict[str, int] = {}
    agents: dict[str, AgentState] = {}
    undo: dict[str, list[Undo]] = {}
    undone: dict[str, UndoEnd] = {}
    bound: dict[str, BoundArguments] = {}
    pending: dict[str, Command] = {}
    tried: dict[str, int] = {}
    fact_seq: int = 0
    last_fact_digest: str = ""
    unacked: list[Fact] = []
    decisions: list[TakenDecision] = []
    signals: list[Signal] = []
    known_signals: list[str] = []
    usage: Usage = Usage()
    simulation: Simulation | None = None
    cancelled: bool = False
    by_hand: bool = False
    finished: bool = False
