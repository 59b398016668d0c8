"""What the inbox of approvals is asked: filters, order, and whom an approval is assigned to. Pure.

An assignment is a hint among colleagues: it gives no authority and takes none.
"""

from typing import Literal, NoReturn

from domain.errors import ApprovalClosed, Conflict
from domain.model import Value

InboxOrder = Literal["deadline", "opened"]
"""Earliest deadline first, those without one last; or latest opened first."""

STATES = ("open", "approved", "rejected", "timed_out", "withdrawn")


class MayDecide(Value):
    """Narrows the inbox to what a principal may decide now: by one of these roles, or because a vote was handed to them."""

    principal: str
    roles: tuple[str, ...]


class InboxFilter(Value):
    """Every filter that is given has to fit; `decided_by` finds whoever decided, each reviewer of a quorum. Instants are RFC 3339."""

    state: str | None = None
    may_decide: MayDecide | None = None
    role: str | None = None
    definition: str | None = None
    run: str | None = None
    tool: str | None = None
    assignee: str | None = None
    requester: str | None = None
    decided_by: str | None = None
    deadline_before: str | None = None
    order: InboxOrder = "deadline"
    limit: int = 50
    cursor: str | None = None

    def facets(self) -> list[list[tuple[str, str]]]:
        """Return what has to fit, each as alternatives of (facet, value), what is likely to be rarest first."""
        named = [
            ("run", self.run),
            ("assignee", self.assignee),
            ("decider", self.decided_by),
            ("requester", self.requester),
            ("tool", self.tool),
            ("role", self.role),
            ("definition", self.definition),
        ]
        found = [[(facet, value)] for facet, value in named if value is not None]
        if self.may_decide is not None:
            may = self.may_decide
            found.append([*(("role", role) for role in may.roles), ("delegate", may.principal)])
        return found


def refuse_assignment(approval: str, *, state: str, assignee: str | None) -> NoReturn:
    """Say why an approval cannot be assigned.

    Raises:
        ApprovalClosed: it is decided.
        Conflict: somebody else has it.
    """
    if state != "open":
        raise ApprovalClosed(f"approval {approval} is closed: {state}")
    raise Conflict(f"approval {approval} is assigned to {assignee}: ask them to release it, or take it over")
