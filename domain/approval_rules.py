"""Who may decide an approval, and when what happens: groups, reminders, the escalation ladder, deadlines, and decisions as events. Pure.

Separate from `domain/approval_timeline.py`, which plays them through. Instants are RFC 3339 UTC; a `Moment` whose `at` is empty has
not been placed yet: its seconds may be working time, which only a calendar can tell.
"""

from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field, JsonValue

from domain.model import Wire

Verdict = Literal["approve", "reject", "amend", "request_info", "give_info", "extend", "delegate", "withdraw"]
"""What a person may say to an open approval."""

VOTES = frozenset({"approve", "reject"})
"""Verdicts that count for a group."""

REVIEWING = frozenset({"approve", "reject", "amend", "request_info", "delegate"})
"""Verdicts that only a reviewer may give: one who is asked, and is not the requester where that is excluded."""

OnTimeout = Literal["reject", "approve", "fail", "escalate"]
"""What a passed deadline means."""


class ReviewerGroup(Wire):
    """So many persons with a role. With `veto` one rejection rejects the approval; without it, as many as the quorum do."""

    role: str
    quorum: int = Field(default=1, ge=1, le=100)
    veto: bool = False


class Reviewers(Wire):
    """Groups that all, or any of them, have to agree. `four_eyes`: nobody counts for two groups, or approves what they amended."""

    groups: list[ReviewerGroup] = Field(min_length=1)
    combine: Literal["all", "any"] = "all"
    four_eyes: bool = False


class Moment(Wire):
    """So many seconds after the approval was opened; `at` is the instant, once it is known."""

    after_s: float
    at: str = ""


class Rung(Wire):
    """A step of the escalation ladder: this group may decide alone from then on, beside the others or, with `replace`, instead of them.

    Without a moment it is reached when a deadline passes (`on_timeout: escalate`).
    """

    to: ReviewerGroup
    moment: Moment | None = None
    replace: bool = False


class ApprovalRules(Wire):
    """Everything that is fixed when an approval is opened.

    `deadlines` are the ends of its rounds: one, or one more for each rung with `on_timeout: escalate`; empty means it waits for ever.
    `latest` is the deadline of the steps around it, which nothing extends; `calendar` names whose working time the seconds are.
    """

    reviewers: Reviewers
    remind: list[Moment] = []
    ladder: list[Rung] = []
    deadlines: list[Moment] = []
    latest: str | None = None
    on_timeout: OnTimeout = "reject"
    calendar: str | None = None

    def moments(self) -> list[Moment]:
        """Return every moment, in the order in which `placed` takes their instants."""
        return [*self.remind, *(rung.moment for rung in self.ladder if rung.moment is not None), *self.deadlines]

    def roles(self) -> list[str]:
        """Return every role that is or may come to be asked, each once."""
        groups = [*self.reviewers.groups, *(rung.to for rung in self.ladder)]
        return list(dict.fromkeys(group.role for group in groups))

    def lead_roles(self) -> list[str]:
        """Return the roles of the ladder: who has one may extend the deadline."""
        return list(dict.fromkeys(rung.to.role for rung in self.ladder))


class ReviewEvent(Wire):
    """A decision that was taken. `roles` are those of the rules that its principal held then, live.

    `acting_for` is the reviewer whose vote a delegate or substitute gave. `form` is the answer to the approval's form, `deadline` what an
    extension asks for, `to`, `starts` and `ends` whom a vote is handed to and when.
    """

    verdict: Verdict
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

    @property
    def voter(self) -> str:
        """Whose vote it is."""
        return self.acting_for or self.principal


def instant_text(at: datetime) -> str:
    """Return an instant as the platform writes it: RFC 3339 UTC with microseconds."""
    return at.isoformat(timespec="microseconds")


def placed(rules: ApprovalRules, instants: list[str]) -> ApprovalRules:
    """Return the rules with the instants of `rules.moments()`, in their order.

    Raises:
        ValueError: there are more or fewer instants than moments.
    """
    known = iter([moment.model_copy(update={"at": at}) for moment, at in zip(rules.moments(), instants, strict=True)])
    remind = [next(known) for _ in rules.remind]
    ladder = [rung if rung.moment is None else rung.model_copy(update={"moment": next(known)}) for rung in rules.ladder]
    return rules.model_copy(update={"remind": remind, "ladder": ladder, "deadlines": list(known)})


def placed_by_the_clock(rules: ApprovalRules, opened_at: str) -> ApprovalRules:
    """Return the rules with every moment counted in plain time from the opening."""
    start = datetime.fromisoformat(opened_at)
    return placed(rules, [instant_text(start + timedelta(seconds=moment.after_s)) for moment in rules.moments()])
