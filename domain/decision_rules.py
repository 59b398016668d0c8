"""Whether a decision may be taken, from the approval's own state: the whole rule of the update's validator (JOURNAL §9). Pure.

Roles are no matter of state: who holds one is asked live, by an activity.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from domain.approval import Decision, OpenApproval
from domain.approval_rules import REVIEWING, VOTES, ReviewEvent, Verdict
from domain.approval_timeline import standing_of
from domain.errors import AlreadyDecided, ApprovalClosed, Conflict, Forbidden, InvalidInput, NotFound, StaleDigest, StandfastError
from domain.principals import Principal, Role
from domain.substitutes import DECIDING

OPERATING: Final = frozenset({Role.OPERATOR, Role.ADMIN})
"""Platform roles that may extend, withdraw, and answer for the requester."""

NOT_THEIRS: Final = (
    "only whoever started the run, or an operator, may do that",
    "an operator, or a reviewer of the escalation ladder, extends a deadline",
)
"""Why somebody else may not: of an extension the second."""


def refusal(
    approval: OpenApproval | None, decision: Decision, *, unbound: list[str] | None = None, now: str | None = None
) -> StandfastError | None:
    """Return why a decision cannot be taken, or None.

    Args:
        approval: the approval it names, if the run has it.
        decision: the decision.
        unbound: the arguments, as `step.name`, that later steps feed; no amendment may give them.
        now: RFC 3339; a deadline that has passed by then is past, even if its timer has not been heard yet.
    """
    if approval is None:
        return NotFound(f"this run has no approval {decision.approval}")
    if approval.decision is not None:
        return ApprovalClosed(f"approval {approval.approval} is closed: {approval.decision}")
    ending = None if now is None else standing_of(approval.asks, approval.events, now).ending
    if ending is not None:
        return ApprovalClosed(f"approval {approval.approval} is closed: {ending}")
    if decision.digest != approval.digest:
        return StaleDigest(f"the approval's digest is {approval.digest}, the decision names {decision.digest or 'none'}; read it again")
    if decision.verdict in REVIEWING and approval.exclude_requester and decision.principal == approval.requester:
        return Forbidden("whoever started the run may not decide its approvals")
    return _refusal_of_verdict(approval, decision, unbound or [], now)


def _refusal_of_verdict(approval: OpenApproval, decision: Decision, unbound: list[str], now: str | None) -> StandfastError | None:
    if decision.verdict in VOTES:
        return _refusal_of_vote(approval, decision)
    if decision.verdict == "amend":
        return _refusal_of_amendment(approval, decision, unbound)
    if decision.verdict in ("request_info", "give_info"):
        return _refusal_of_question(approval, decision)
    if decision.verdict == "extend":
        return _refusal_of_extension(approval, decision, now)
    if decision.verdict == "delegate":
        return _refusal_of_delegation(approval, decision)
    return None


def votes_now(approval: OpenApproval) -> list[ReviewEvent]:
    """Return the votes on the calls as they are now: an amendment makes those before it void."""
    found: list[ReviewEvent] = []
    for event in approval.events:
        if event.verdict == "amend":
            found.clear()
        elif event.verdict in VOTES:
            found.append(event)
    return found


def _refusal_of_vote(approval: OpenApproval, decision: Decision) -> StandfastError | None:
    if any(decision.principal in (vote.principal, vote.acting_for) for vote in votes_now(approval)):
        return AlreadyDecided("your vote on these calls is given already")
    amender = approval.asks.reviewers.four_eyes and approval.amended_by == decision.principal
    if amender and decision.verdict == "approve":
        return Forbidden("whoever amended the arguments may not approve them: four eyes are asked")
    return None


def _refusal_of_amendment(approval: OpenApproval, decision: Decision, unbound: list[str]) -> StandfastError | None:
    changes = decision.said.arguments
    bound = {call.step: call.arguments for call in approval.calls}
    if not any(changes.values()):
        return InvalidInput("an amendment names the arguments to change: {step: {name: value}}", where="arguments")
    large = next((call for call in approval.calls if call.large is not None and changes.get(call.step)), None)
    if large is not None:
        return InvalidInput(
            f"the arguments of {large.step} are too large to be amended: reject the call, and say in the comment what shall be different",
            where=f"arguments.{large.step}",
        )
    for step, arguments in changes.items():
        if step not in bound:
            return InvalidInput(f"this approval binds no call {step}; it binds {', '.join(bound) or 'none'}", where=f"arguments.{step}")
        later = [name for name in arguments if f"{step}.{name}" in unbound]
        if later:
            return InvalidInput(f"a later step feeds {later[0]}, so it cannot be amended", where=f"arguments.{step}.{later[0]}")
    if all(bound[step].get(name) == value and name in bound[step] for step, given in changes.items() for name, value in given.items()):
        return AlreadyDecided("the arguments are so already")
    return None


def _refusal_of_question(approval: OpenApproval, decision: Decision) -> StandfastError | None:
    open_question = None
    for event in approval.events:
        if event.verdict == "request_info":
            open_question = event.decision_id
        elif event.verdict == "give_info":
            open_question = None
    if not decision.comment.strip():
        return InvalidInput("say what is asked, or answered, in the comment", where="comment")
    if decision.verdict == "request_info" and open_question is not None:
        return AlreadyDecided("a question is open already; its answer comes first")
    if decision.verdict == "give_info" and open_question is None:
        return Conflict("nothing is asked about this approval now")
    return None


def _refusal_of_extension(approval: OpenApproval, decision: Decision, now: str | None) -> StandfastError | None:
    rules = approval.asks
    wanted = instant(decision.said.deadline)
    if not rules.deadlines:
        return Conflict("this approval has no deadline of its own to extend")
    if wanted is None:
        return InvalidInput("an extension names the new deadline, an RFC 3339 instant with its offset", where="deadline")
    if now is not None and wanted <= datetime.fromisoformat(now):
        return InvalidInput("the new deadline is past", where="deadline")
    if rules.latest is not None and wanted > datetime.fromisoformat(rules.latest):
        return InvalidInput(f"the steps around this approval end at {rules.latest}; nothing extends that", where="deadline")
    return None


def _refusal_of_delegation(approval: OpenApproval, decision: Decision) -> StandfastError | None:
    said = decision.said
    starts, ends = instant(said.starts), instant(said.ends)
    if not said.to or said.to == decision.principal:
        return InvalidInput("a delegation names another principal", where="to")
    if approval.exclude_requester and said.to == approval.requester:
        return Forbidden("whoever started the run may not decide its approvals, for nobody")
    if (said.starts is not None and starts is None) or (said.ends is not None and ends is None):
        return InvalidInput("starts and ends are RFC 3339 instants with their offset", where="starts" if starts is None else "ends")
    if starts is not None and ends is not None and ends <= starts:
        return InvalidInput("a delegation ends after it starts", where="ends")
    return None


def instant(text: str | None) -> datetime | None:
    """Return an instant with its offset, or None if the text is none."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def may_steer(principal: Principal, verdict: Verdict, *, requester: str, lead_roles: Iterable[str]) -> bool:
    """Whether somebody may say what is no reviewer's: operators may, requesters withdraw and answer, leads of the ladder extend."""
    if principal.role in OPERATING:
        return True
    if verdict == "extend":
        return principal.role in DECIDING and not set(principal.reviewer_roles).isdisjoint(lead_roles)
    return principal.id == requester


def delegators(approval: OpenApproval, principal: str, now: str) -> list[str]:
    """Return who has handed a vote to this principal, at an instant within its dates; the last word of each counts."""
    at = datetime.fromisoformat(now)
    last = {event.principal: event for event in approval.events if event.verdict == "delegate"}
    return [who for who, event in last.items() if event.to == principal and _within(event, at)]


def _within(event: ReviewEvent, at: datetime) -> bool:
    starts, ends = instant(event.starts), instant(event.ends)
    return (starts is None or starts <= at) and (ends is None or at < ends)
