"""JSON shapes of the gateway where they must differ from the domain's: what is asked, and what is shown."""

from typing import Annotated, Final, Literal, Self

from pydantic import AwareDatetime, Field, JsonValue, StringConstraints, model_validator

from domain.approval import DecisionContent
from domain.approval_rules import Verdict
from domain.lineage import ForkEffects, RunRequest
from domain.model import Value
from domain.people_stores import ApprovalRow, DecisionState
from domain.runs import ApprovalProjection, RunStatus
from domain.saga_views import SagaView
from domain.stores import EffectRow, RunRow
from domain.visible_text import hidden_places

WAIT_S_MAX = 30.0
"""Longest long poll, in seconds: shorter than the idle timeouts of common proxies (60 s)."""

Comment = Annotated[str, StringConstraints(max_length=2000)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
CONTENT_OF: Final = {
    "arguments": "amend",
    "form": "approve",
    "deadline": "extend",
    **dict.fromkeys(("to", "starts", "ends"), "delegate"),
}
"""Which verdict each part of a decision's content belongs to."""

Seconds = Annotated[float, Field(ge=0, le=WAIT_S_MAX)]


class StartBody(Value):
    """A start: `definition` is `name` or `name@range` (npm ranges); `wait` holds the answer back until the run ended, in seconds.

    `subject` names the person or thing whose data the run holds, for a later erasure; it is kept as a pseudonym only. Without it the
    definition's `subject` counts, and without that the run is its own data subject.
    """

    definition: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,99}(@[0-9A-Za-z^~<>=|.*+ -]{1,100})?$")]
    input: JsonValue = Field(default_factory=dict)
    config: dict[str, JsonValue] = {}
    subject: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    wait: Seconds = 0


class RunAccepted(Value):
    """The answer to a start. The same Idempotency-Key and body give the same bytes, however far the run is by then."""

    run: str
    definition: str
    version: str
    definition_sha256: str
    status: Literal["accepted"] = "accepted"
    correlation_id: str
    created_at: str


class UsageView(Value):
    """Sums over a run. Money in integer micro-USD; `model` is the last one used."""

    input_tokens: int
    output_tokens: int
    cost_usd_micros: int
    model: str | None


class HeadView(Value):
    """Where a run's ledger ends: the last sequence (0 = empty) and its hash in hex."""

    seq: int
    hash: str


class LineageView(Value):
    """Where a fork comes from; `effects` says whether what changes the world is simulated in it."""

    parent: str
    step: str
    effects: ForkEffects


class RunView(Value):
    """A run. `waits_for` says in words what it waits for; `error` is {code, detail, …} of a run that failed.

    `requests` are cancels and redrives with who asked and why; lists of runs leave them out.
    `subject` is its data subject's pseudonym, and `erased_at` says when its content was erased or purged, by the removal `erasure`.
    """

    run: str
    definition: str
    version: str
    definition_sha256: str
    status: RunStatus
    reason: str | None
    waits_for: str | None
    principal: str
    correlation_id: str
    created_at: str
    updated_at: str
    closed_at: str | None
    usage: UsageView
    error: dict[str, str] | None
    ledger: HeadView
    epoch: int | None = None
    forked_from: LineageView | None = None
    requests: tuple[RunRequest, ...] = ()
    subject: str | None = None
    erased_at: str | None = None
    erasure: str | None = None


class RunOutcome(Value):
    """How a run ended, or what it waits for while it is open. `result` is its output, null unless it succeeded."""

    run: str
    status: RunStatus
    closed: bool
    result: JsonValue = None
    error: dict[str, str] | None = None
    waits_for: str | None = None
    closed_at: str | None = None


class CancelBody(Value):
    """Why a run is cancelled; the run shows it, and its ledger keeps it sealed."""

    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class CancelRequested(Value):
    """The answer to a cancel: the run was asked; its compensations run before it ends."""

    run: str
    status: RunStatus
    cancel_requested: Literal[True] = True


class CompensateBody(Value):
    """Why a run is undone; the run shows it, and its ledger keeps it sealed."""

    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class CompensateRequested(Value):
    """The answer to `compensate`: the run was asked; its compensations run before it ends."""

    run: str
    status: RunStatus
    compensate_requested: Literal[True] = True


class SagasView(Value):
    """The sagas of a run, outer ones before those inside them."""

    run: str
    status: RunStatus
    sagas: tuple[SagaView, ...]


class EntryView(Value):
    """A ledger entry; `prev`, `hash` and `body` are the stored bytes in base64, `recorded_at_us` microseconds since 1970."""

    tenant: str
    run: str
    seq: int
    recorded_at_us: int
    prev: str
    hash: str
    body: str
    kind: str
    principal: str
    epoch: int
    fact_seq: int | None
    step: str | None
    payload_digest: str | None


class LedgerView(Value):
    """A part of a run's ledger and its head; `next_after` is the next `after`, null when nothing follows."""

    run: str
    head: HeadView
    entries: tuple[EntryView, ...]
    next_after: int | None


class BrokenView(Value):
    """The first wrong entry."""

    seq: int
    reason: str


class VerificationView(Value):
    """The server's own verdict; `standfast verify` recomputes it from the bytes and never asks."""

    run: str
    ok: bool
    entries: int
    head: str
    broken: BrokenView | None


class ApprovalView(ApprovalProjection):
    """An approval of the inbox. `state` is open, approved, rejected, timed_out or withdrawn.

    `hidden` tells where arguments hold characters that are not seen, or turn the direction of what follows.
    """

    run: str
    definition: str
    state: str
    decided_by: str | None
    decided_at: str | None
    comment: str | None
    hidden: tuple[str, ...] = ()
    assignee: str | None = None
    assigned_by: str | None = None
    assigned_at: str | None = None


class DecisionBody(Value):
    """A decision; `digest` is the approval's own, so nobody approves what they have not read.

    Beside approve and reject: `amend` gives new `arguments` by bound step and name, `request_info` asks in its comment and `give_info`
    answers there, `extend` gives a new `deadline`, `delegate` hands the vote `to` a principal between `starts` and `ends`, `withdraw` takes
    the question back. `form` answers the approval's form.
    """

    verdict: Verdict
    digest: Digest
    comment: Comment = ""
    arguments: Annotated[dict[str, dict[str, JsonValue]], Field(max_length=100)] = {}
    form: JsonValue = None
    deadline: AwareDatetime | None = None
    to: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    starts: AwareDatetime | None = None
    ends: AwareDatetime | None = None

    @model_validator(mode="after")
    def _says_what_its_verdict_means(self) -> Self:
        for name, verdict in CONTENT_OF.items():
            if getattr(self, name) not in (None, {}) and self.verdict != verdict:
                raise ValueError(f"`{name}` belongs to the verdict {verdict}")
        return self

    def content(self) -> DecisionContent | None:
        """Return what it says beside its comment, None for nothing."""
        if all(getattr(self, name) in (None, {}) for name in CONTENT_OF):
            return None
        return DecisionContent.model_validate(self.model_dump(mode="json", include=set(CONTENT_OF)))


class SignalledDecision(DecisionBody):
    """A decision by the signal `approve`, which names its approval."""

    approval: str


class BatchedDecision(DecisionBody):
    """A decision of a batch, which names its approval."""

    approval: Annotated[str, StringConstraints(pattern=r"^apr_[0-9a-hjkmnp-tv-z]{26}$")]


class DecisionBatch(Value):
    """Many decisions; each is answered by itself, in their order."""

    decisions: Annotated[tuple[BatchedDecision, ...], Field(min_length=1, max_length=100)]


class BatchAnswer(Value):
    """What became of one decision of a batch: `status` is what it would have been answered with alone."""

    approval: str
    status: int
    decision: "DecisionView | None" = None
    code: str | None = None
    detail: str | None = None


class BatchAnswers(Value):
    """What became of each decision of a batch, in their order."""

    answers: tuple[BatchAnswer, ...]


class DecisionView(Value):
    """A decision: `accepted` is final; `stored` is being delivered, see the approval for the end of it.

    `ending` is how the approval ended by it; null while it goes on, or when the run has not said so.
    """

    decision_id: str
    approval: str
    run: str
    verdict: Verdict
    state: DecisionState
    decided_by: str
    decided_at: str | None
    detail: str
    ending: str | None = None


class TraceView(Value):
    """A run with its effects in order of their start and its open approvals."""

    run: RunView
    effects: tuple[EffectRow, ...]
    approvals: tuple[ApprovalView, ...]


def run_view(row: RunRow, requests: tuple[RunRequest, ...] = ()) -> RunView:
    """Show a run; the fingerprint of its start stays inside."""
    usage = UsageView(input_tokens=row.input_tokens, output_tokens=row.output_tokens, cost_usd_micros=row.cost_usd_micros, model=row.model)
    shown = row.model_dump(include=set(RunView.model_fields))
    lineage = {"parent": row.parent_run, "step": row.fork_step, "effects": row.fork_effects} if row.parent_run else None
    return RunView.model_validate(
        {**shown, "usage": usage, "ledger": HeadView(seq=row.head_seq, hash=row.head_hash), "forked_from": lineage, "requests": requests}
    )


def approval_view(row: ApprovalRow) -> ApprovalView:
    """Show an approval, flat."""
    hidden = [place for call in row.projection.calls for place in hidden_places(call.get("arguments"), str(call.get("step", "")))]
    shown = {**row.projection.model_dump(), **row.model_dump(exclude={"projection", "decision_id"}), "hidden": tuple(hidden)}
    return ApprovalView.model_validate(shown)
