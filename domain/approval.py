r"""Approvals: what is bound, its digest, attestations, and whether a decision is in time. Pure.

digest = SHA-256("standfast:approval:v1\\0" ‖ JCS{tenant, run, approval, step, visit, nonce, calls}) (DESIGN §7).
"""

from typing import Literal

from pydantic import JsonValue

from domain.attestation import attestation_of, holds
from domain.canonical import digest_hex
from domain.errors import ApprovalClosed, Forbidden, NotFound, StaleDigest, StandfastError
from domain.model import Wire


class BoundCall(Wire):
    """One call as a reviewer approves it, argument for argument."""

    step: str
    tool: str
    version: str
    arguments: dict[str, JsonValue]


class OpenApproval(Wire):
    """An approval as the workflow holds it; times are RFC 3339 UTC."""

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


class Decision(Wire):
    """A reviewer's answer; `decision_id` is also the Temporal update id, `attestation` the gateway's word for the principal."""

    decision_id: str
    approval: str
    verdict: Literal["approve", "reject"]
    digest: str
    principal: str
    comment: str = ""
    attestation: str = ""


class TakenDecision(Wire):
    """A decision that counted; carried over continue-as-new, so that the same one sent again gets the same answer."""

    decision_id: str
    approval: str
    verdict: Literal["approve", "reject"]
    principal: str
    comment: str = ""
    decided_at: str


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
    return {"tenant": tenant, "run": run, "decision": decision.model_dump(mode="json", exclude={"attestation"})}


def refusal(approval: OpenApproval | None, decision: Decision) -> StandfastError | None:
    """Return why a decision cannot be taken, from workflow state alone, or None (the validator's whole rule, JOURNAL §9)."""
    if approval is None:
        return NotFound(f"this run has no approval {decision.approval}")
    if approval.decision is not None:
        return ApprovalClosed(f"approval {approval.approval} is closed: {approval.decision}")
    if decision.digest != approval.digest:
        return StaleDigest(f"the approval's digest is {approval.digest}, the decision names {decision.digest or 'none'}; read it again")
    if approval.exclude_requester and decision.principal == approval.requester:
        return Forbidden("whoever started the run may not decide its approvals")
    return None
