r"""Approvals: what is bound, its digest, decisions and their attestations. Pure.

Whether a decision may be taken is `domain/decision_rules.py`, when what happens `domain/approval_timeline.py`.

digest = SHA-256("standfast:approval:v1\\0" ‖ JCS{tenant, run, approval, step, visit, nonce, calls}) (DESIGN §7).
"""

import hashlib

from pydantic import Field, JsonValue

from domain.approval_rules import ApprovalRules, Moment, ReviewerGroup, Reviewers, ReviewEvent, Verdict
from domain.attestation import attestation_of, holds
from domain.canonical import digest_hex
from domain.large_arguments import LargeArguments
from domain.model import Wire


class BoundCall(Wire):
    """One call as a reviewer approves it, argument for argument; of arguments that are `large`, cut ones, and what binds the whole."""

    step: str
    tool: str
    version: str
    arguments: dict[str, JsonValue]
    large: LargeArguments | None = Field(default=None, exclude_if=lambda large: large is None)


class OpenApproval(Wire):
    """An approval as the workflow holds it; times are RFC 3339 UTC.

    Without `rules` one person with `reviewer_role` decides; with them that is the first role asked. `events` are the decisions taken, and
    `revision` counts what changed since it was opened. `form` is the JSON Schema of the answer that an approving reviewer gives. `call`
    says which call of an agent it binds, as `turn.index`.
    """

    approval: str
    step: str
    visit: int
    title: str
    digest: str
    nonce: str
    calls: list[BoundCall]
    reviewer_role: str
    exclude_requester: bool
    requester: str
    opened_at: str
    deadline: str | None
    decision: str | None = None
    decision_id: str | None = None
    rules: ApprovalRules | None = None
    events: list[ReviewEvent] = []
    revision: int = 0
    form: dict[str, JsonValue] | None = None
    amended_by: str | None = None
    call: str = Field(default="", exclude_if=lambda call: not call)

    @property
    def asks(self) -> ApprovalRules:
        """The rules it goes by, those of one person and one deadline included."""
        if self.rules is not None:
            return self.rules
        deadlines = [] if self.deadline is None else [Moment(after_s=0, at=self.deadline)]
        return ApprovalRules(reviewers=Reviewers(groups=[ReviewerGroup(role=self.reviewer_role)]), deadlines=deadlines)


class DecisionContent(Wire):
    """What some verdicts say beside their comment.

    amend: `arguments`, by bound step and name; approve: the answer to the approval's `form`; extend: the new `deadline`;
    delegate: `to` whom, from `starts` to `ends`. Instants are RFC 3339.
    """

    arguments: dict[str, dict[str, JsonValue]] = {}
    form: JsonValue = None
    deadline: str | None = None
    to: str | None = None
    starts: str | None = None
    ends: str | None = None


class Decision(Wire):
    """A person's answer; `decision_id` is also the Temporal update id, `attestation` the gateway's word for the principal."""

    decision_id: str
    approval: str
    verdict: Verdict
    digest: str
    principal: str
    comment: str = ""
    attestation: str = ""
    content: DecisionContent | None = None

    @property
    def said(self) -> DecisionContent:
        """Its content, empty if it has none."""
        return self.content or DecisionContent()


class TakenDecision(Wire):
    """A decision that counted; carried over continue-as-new, so that the same one sent again gets the same answer.

    `ending` is how the approval ended by it, None if it went on.
    """

    decision_id: str
    approval: str
    verdict: Verdict
    principal: str
    comment: str = ""
    decided_at: str
    ending: str | None = None


def approval_digest(*, tenant: str, run: str, approval: str, step: str, visit: int, nonce: str, calls: list[BoundCall]) -> str:
    """Return the hex digest that a decision must name."""
    bound: list[JsonValue] = [call.model_dump(mode="json") for call in calls]
    return digest_hex(
        "standfast:approval:v1",
        {"tenant": tenant, "run": run, "approval": approval, "step": step, "visit": visit, "nonce": nonce, "calls": bound},
    )


def attest(key: bytes, *, tenant: str, run: str, decision: Decision) -> str:
    """Return the gateway's attestation (hex HMAC-SHA-256) that this principal sent this decision."""
    return attestation_of(key, _said(tenant, run, decision))


def attested(key: bytes, *, tenant: str, run: str, decision: Decision) -> bool:
    """Whether the attestation is the gateway's, compared in constant time."""
    return holds(key, _said(tenant, run, decision), decision.attestation)


def _said(tenant: str, run: str, decision: Decision) -> dict[str, JsonValue]:
    left_out = {"attestation"} if decision.content is not None else {"attestation", "content"}
    return {"tenant": tenant, "run": run, "decision": decision.model_dump(mode="json", exclude=left_out)}


def amended(approval: OpenApproval, decision: Decision, *, tenant: str, run: str) -> OpenApproval:
    """Return the approval with new arguments, hence a new nonce and digest; arguments that are not named stay as they are."""
    changes = decision.said.arguments
    calls = [call.model_copy(update={"arguments": {**call.arguments, **changes.get(call.step, {})}}) for call in approval.calls]
    nonce = hashlib.sha256(f"{approval.nonce}/{decision.decision_id}".encode()).hexdigest()[:32]
    digest = approval_digest(
        tenant=tenant, run=run, approval=approval.approval, step=approval.step, visit=approval.visit, nonce=nonce, calls=calls
    )
    return approval.model_copy(update={"calls": calls, "nonce": nonce, "digest": digest, "amended_by": decision.principal})
