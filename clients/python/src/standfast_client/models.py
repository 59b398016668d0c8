"""What the gateway answers, typed. Members a newer gateway adds are ignored. Times are RFC 3339 UTC, money is integer micro-USD."""

import base64
from collections.abc import Mapping, Sequence
from typing import Annotated, Generic, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, JsonValue

T = TypeVar("T")

JsonInput: TypeAlias = "str | int | float | bool | Mapping[str, JsonInput] | Sequence[JsonInput] | None"
"""What may be given as JSON: unlike `JsonValue` it takes a `dict[str, str]` too."""

CLOSED_STATUSES = frozenset({"succeeded", "failed", "cancelled", "timed_out", "dead", "expired", "terminated"})
"""The statuses in which a run has ended; the others are `accepted running waiting paused compensating in_doubt`."""


class Received(BaseModel):
    """A frozen value from the gateway."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Page(Received, Generic[T]):
    """One page of a list; `next_cursor` is None at the end."""

    items: list[T]
    next_cursor: str | None = None


class Fault(Received):
    """Why something failed: a stable code, a sentence, and the step it happened in, if any."""

    code: str = "unknown"
    detail: str = ""
    step: str | None = None


class Usage(Received):
    """Sums over a run; `model` is the last one used."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd_micros: int = 0
    model: str | None = None


class Lineage(Received):
    """Where a fork comes from; `effects` says whether what changes the world is simulated in it or allowed."""

    parent: str
    step: str
    effects: str


class RunAccepted(Received):
    """The answer to a start."""

    run: str
    definition: str
    version: str


class RunRequest(Received):
    """What a person asked of a run: `what` is cancel, redrive or compensate. `reason` is None where none was given or it is erased."""

    what: str
    by: str
    at: str
    reason: str | None = None


class Run(Received):
    """A run. `status` says how far it is, `waits_for` in words for what it waits, `error` why it failed.

    `requests` are cancels, redrives and compensations asked for; a list of runs leaves them out.
    """

    run: str
    definition: str
    version: str
    status: str
    reason: str | None = None
    waits_for: str | None = None
    principal: str = ""
    correlation_id: str = ""
    definition_sha256: str = ""
    created_at: str = ""
    updated_at: str = ""
    closed_at: str | None = None
    usage: Usage = Usage()
    error: Fault | None = None
    epoch: int | None = None
    forked_from: Lineage | None = None
    requests: list[RunRequest] = []
    subject: str | None = None
    erased_at: str | None = None

    @property
    def closed(self) -> bool:
        """Whether the run has ended."""
        return self.status in CLOSED_STATUSES

    @property
    def succeeded(self) -> bool:
        """Whether the run has ended well."""
        return self.status == "succeeded"


class RunOutcome(Received):
    """How a run stands and, once it succeeded, its result."""

    run: str
    status: str
    closed: bool
    result: JsonValue = None
    error: Fault | None = None
    waits_for: str | None = None


class Effect(Received):
    """One thing a run did outside, such as a model call or a tool call. `attempt` counts from 1."""

    step: str
    visit: int = 1
    call: str = ""
    subject: str = ""
    effect_class: str = ""
    state: str
    attempt: int = 1
    started_at: str = ""
    ended_at: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd_micros: int = 0
    model: str | None = None
    error: Fault | None = None


class BoundCall(Received):
    """One call an approval binds: exactly this tool runs, with exactly these arguments.

    Of `large` arguments `arguments` are cut; `large` is their SHA-256 and size, and `ApprovalDetail.whole` has them.
    """

    step: str
    tool: str
    version: str = ""
    arguments: dict[str, JsonValue] = {}
    large: dict[str, JsonValue] | None = None


class ReviewerGroup(Received):
    """A group that is asked: so many persons of a role, and who of it has said yes and no. `rung` counts the ladder; 0 were asked first."""

    role: str
    quorum: int = 1
    veto: bool = False
    rung: int = 0
    approved_by: list[str] = []
    rejected_by: list[str] = []


class Standing(Received):
    """How an approval stands. `next_at` is when something happens by itself; `waits_for_info` names the open question's decision."""

    ending: str | None = None
    decision_id: str | None = None
    groups: list[ReviewerGroup] = []
    deadline: str | None = None
    next_at: str | None = None
    reminders: int = 0
    rungs: int = 0
    waits_for_info: str | None = None


class ReviewEvent(Received):
    """A decision that was taken; `acting_for` is whose vote a delegate or substitute gave."""

    verdict: str
    at: str
    decision_id: str
    principal: str
    roles: list[str] = []
    acting_for: str | None = None
    comment: str = ""
    form: JsonValue = None
    deadline: str | None = None
    to: str | None = None
    starts: str | None = None
    ends: str | None = None


class Approval(Received):
    """A question to people. A decision names `digest`, which covers every bound call, argument for argument.

    `state` is open, approved, rejected, timed_out or withdrawn; `unbound` names arguments that are only known later. `reviewer_roles` are
    asked now; `form` is the JSON Schema of an approving answer; `hidden` tells where arguments hold characters that are not seen.
    """

    approval: str
    run: str
    definition: str = ""
    state: str
    step: str
    visit: int = 1
    title: str
    digest: str
    calls: list[BoundCall] = []
    unbound: list[str] = []
    reviewer_role: str = ""
    exclude_requester: bool = False
    requester: str = ""
    opened_at: str = ""
    deadline: str | None = None
    decided_by: str | None = None
    decided_at: str | None = None
    comment: str | None = None
    assignee: str | None = None
    reviewer_roles: list[str] = []
    delegates: list[str] = []
    standing: Standing | None = None
    events: list[ReviewEvent] = []
    form: dict[str, JsonValue] | None = None
    revision: int = 0
    amended_by: str | None = None
    hidden: list[str] = []


class Trace(Received):
    """A run, its effects in order of their start, and the approvals it waits for."""

    run: Run
    effects: list[Effect]
    approvals: list[Approval] = []


class Decision(Received):
    """A decision: `state` is accepted, which is final, or stored while it is being delivered to the run; `detail` says so in words.

    `ending` is how the approval ended by it, None while it goes on.
    """

    decision_id: str
    approval: str
    run: str = ""
    verdict: str
    state: str
    decided_by: str = ""
    decided_at: str | None = None
    detail: str = ""
    ending: str | None = None


class BatchAnswer(Received):
    """What became of one decision of a batch: `status` is the HTTP status it would have had alone; `code` and `detail` say why not."""

    approval: str
    status: int
    decision: Decision | None = None
    code: str | None = None
    detail: str | None = None


class BatchAnswers(Received):
    """What became of each decision of a batch, in their order."""

    answers: list[BatchAnswer]


class TaskStage(Received):
    """A stage of a task's ladder: from `at` on it is this role's."""

    at: str
    role: str


class Task(Received):
    """Work for a person, or a question about something that may or may not have happened.

    `kind` is human, in_doubt, divergent or failed_compensation; `state` is open, completed or closed_late; `delivered` is false while the
    run has not been told the answer. `role` and `assignee` are whose it is; `form` is the JSON Schema of its answer. After `due` it is
    overdue, since `breached_at`; `level` stages of `stages` have passed. `own` tasks were made by a person, with or without a run.
    """

    task: str
    run: str | None = None
    kind: str
    state: str
    step: str
    visit: int = 1
    call: str = ""
    title: str
    detail: str = ""
    opened_at: str = ""
    resolution: str | None = None
    completed_by: str | None = None
    completed_at: str | None = None
    delivered: bool = True
    role: str | None = None
    assignee: str | None = None
    priority: str = "normal"
    form: dict[str, JsonValue] | None = None
    due: str | None = None
    stages: tuple[TaskStage, ...] = ()
    level: int = 0
    breached_at: str | None = None
    own: bool = False
    created_by: str | None = None
    answer: JsonValue = None


class Definition(Received):
    """A registered version of a definition; immutable, known by the SHA-256 of its content. Lists leave the schemas empty."""

    name: str
    version: str
    sha256: str
    registered_at: str = ""
    registered_by: str = ""
    input_schema: dict[str, JsonValue] = {}
    config_schema: dict[str, JsonValue] = {}
    config_defaults: dict[str, JsonValue] = {}


class Registration(Received):
    """What a bundle's registration yielded."""

    definitions: list[Definition]


def _decoded(text: str | bytes) -> bytes:
    return base64.b64decode(text, validate=True)


StoredBytes = Annotated[bytes, BeforeValidator(_decoded)]
"""Bytes that travel as base64."""


class LedgerRow(Received):
    """One ledger entry as served: `prev`, `hash` and `body` are the stored bytes in base64."""

    tenant: str
    run: str
    seq: int
    recorded_at_us: int
    prev: StoredBytes
    hash: StoredBytes
    body: StoredBytes
    kind: str
    principal: str
    epoch: int
    fact_seq: int | None = None
    step: str | None = None
    payload_digest: str | None = None


class LedgerHead(Received):
    """Where the run's row says that its ledger ends: the last sequence (0 when empty) and its hash in hex."""

    seq: int
    hash: str


class LedgerPart(Received):
    """A part of a ledger; `next_after` is None when nothing follows."""

    run: str
    head: LedgerHead
    entries: list[LedgerRow]
    next_after: int | None = None
