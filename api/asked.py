"""Who may say what about an approval, as far as the inbox knows: a refusal here stores nothing. The run itself has the last word."""

from api.deps import GatewayDeps
from api.views import DecisionBody
from domain.approval_rules import REVIEWING
from domain.decision_rules import NOT_THEIRS, may_steer
from domain.errors import ApprovalClosed, Forbidden, InvalidInput, StaleDigest
from domain.people_stores import ApprovalRow
from domain.principals import Principal
from domain.runs import ApprovalProjection
from domain.schemas import validate
from domain.substitutes import DECIDING, authority


async def check_asked(deps: GatewayDeps, principal: Principal, row: ApprovalRow, body: DecisionBody) -> None:
    """Refuse what the inbox already knows to be refused.

    Raises:
        Forbidden: not a reviewer, or the requester; or not the one who may say that.
        ApprovalClosed: the inbox says so.
        StaleDigest: another digest.
        InvalidInput: the form's answer does not fit its schema.
    """
    approval = row.projection
    leads = approval.rules.lead_roles() if approval.rules else []
    if body.verdict in REVIEWING:
        await _check_reviewer(deps, principal, approval)
    elif not may_steer(principal, body.verdict, requester=approval.requester, lead_roles=leads):
        raise Forbidden(NOT_THEIRS[body.verdict == "extend"])
    if row.state != "open":
        raise ApprovalClosed(f"approval {approval.approval} is closed: {row.state}")
    if body.digest != approval.digest:
        raise StaleDigest(f"the approval's digest is {approval.digest}, the decision names {body.digest}; read the approval again")
    if body.verdict == "approve" and approval.form is not None and (problems := validate(approval.form, body.form)):
        raise InvalidInput(f"the answer to the form breaks its schema: {'; '.join(problems)}", where="/form")


async def _check_reviewer(deps: GatewayDeps, principal: Principal, approval: ApprovalProjection) -> None:
    """Let pass who is asked, has a vote handed over, or substitutes for somebody who is asked.

    Raises:
        Forbidden: anybody else.
    """
    if approval.exclude_requester and principal.id == approval.requester:
        raise Forbidden("whoever started the run may not decide its approvals")
    represented = await deps.reviewing.substitutes.represented(principal.tenant, principal.id)
    found = authority(principal, represented, approval.roles, requester=approval.requester, exclude_requester=approval.exclude_requester)
    if not found.roles and not (principal.id in approval.delegates and principal.role in DECIDING):
        roles = " or ".join(approval.roles)
        raise Forbidden(f"this approval asks reviewers with the role {roles}; the key's principal has not got it")
