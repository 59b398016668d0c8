"""The timeline of an approval: (rules, decisions so far, now) → how it stands, and the next instant at which that may change. Pure.

Decisions and instants are played through in the order of their times. Where times are equal, an instant comes before a decision, and a
rung of the ladder before a reminder before the deadline; so a decision at its deadline is late, and a rung at the deadline still counts.
While the requester is asked for more information the clock stands, except for the deadline of the steps around (`latest`).
"""

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from domain.approval_rules import VOTES, ApprovalRules, ReviewerGroup, ReviewEvent, instant_text
from domain.model import Wire
from domain.quorum import agrees, all_agree, all_refuse, refuses, voters

Ending = Literal["approve", "reject", "timed_out", "withdrawn"]
"""How an approval ends."""


class GroupStanding(Wire):
    """A group that is asked now and who of it has said what. `rung` counts the ladder from 1; 0 are the groups asked first."""

    role: str
    quorum: int
    veto: bool = False
    rung: int = 0
    approved_by: list[str] = []
    rejected_by: list[str] = []


class Standing(Wire):
    """How an approval stands. `decision_id` is what ended it, `deadline` is the one of now, `next_at` the next instant to look again.

    `reminders` and `rungs` count those that are due; `waits_for_info` is the open question's decision id.
    """

    ending: Ending | None = None
    decision_id: str | None = None
    groups: list[GroupStanding] = []
    deadline: str | None = None
    next_at: str | None = None
    reminders: int = 0
    rungs: int = 0
    waits_for_info: str | None = None


def standing_of(rules: ApprovalRules, events: list[ReviewEvent], now: str) -> Standing:
    """Return how an approval stands at an instant (RFC 3339), from its rules and the decisions taken so far, in their order."""
    walk = _Walk(rules)
    for event in events:
        walk.pass_time(datetime.fromisoformat(event.at))
        walk.take(event)
    walk.pass_time(datetime.fromisoformat(now))
    return walk.standing()


class _Instant(NamedTuple):
    """Something that happens by itself; of two at once the lower `order` comes first."""

    at: datetime
    order: int
    rung: int = -1


class _Walk:
    """One playing-through. `left` are the reminders and rungs still to come."""

    def __init__(self, rules: ApprovalRules) -> None:
        self._rules = rules
        rungs = [(place, rung.moment) for place, rung in enumerate(rules.ladder)]
        self._left = [_Instant(datetime.fromisoformat(moment.at), 0, place) for place, moment in rungs if moment is not None]
        self._left += [_Instant(datetime.fromisoformat(moment.at), 1) for moment in rules.remind]
        self._ends = [datetime.fromisoformat(moment.at) for moment in rules.deadlines]
        self._deadline = self._ends[0] if self._ends else None
        self._latest = None if rules.latest is None else datetime.fromisoformat(rules.latest)
        self._round = 0
        self._reached: list[int] = []
        self._reminders = 0
        self._votes: dict[str, ReviewEvent] = {}
        self._question: tuple[str, datetime] | None = None
        self._ending: Ending | None = None
        self._ended_by: str | None = None

    def pass_time(self, until: datetime) -> None:
        """Let everything happen that is due at or before an instant."""
        while self._ending is None:
            due = self._next()
            if due is None or due.at > until:
                return
            self._happen(due)

    def _next(self) -> _Instant | None:
        ends = [_Instant(self._latest, 3)] if self._latest is not None else []
        if self._question is None:
            ends += self._left
            ends += [_Instant(self._deadline, 2)] if self._deadline is not None else []
        return min(ends, default=None, key=lambda instant: instant[:2])

    def _happen(self, due: _Instant) -> None:
        if due.order == 0:
            self._left.remove(due)
            self._reached.append(due.rung)
            self._count()
        elif due.order == 1:
            self._left.remove(due)
            self._reminders += 1
        elif due.order == 3 or not self._hand_over(due.at):
            self._ending = "timed_out"

    def _hand_over(self, at: datetime) -> bool:
        """At a deadline: reach the next rung and begin a round of the ladder, if the rules say so and there is one."""
        waiting = [place for place in range(len(self._rules.ladder)) if place not in self._reached]
        if self._rules.on_timeout != "escalate" or not waiting or self._round + 1 >= len(self._ends):
            return False
        self._left = [instant for instant in self._left if instant.rung != waiting[0]]
        self._reached.append(waiting[0])
        self._round += 1
        self._deadline = at + (self._ends[self._round] - self._ends[self._round - 1])
        self._count()
        return True

    def take(self, event: ReviewEvent) -> None:
        """Take a decision; one that comes after the end changes nothing."""
        if self._ending is not None:
            return
        if event.verdict in VOTES:
            self._votes.setdefault(event.voter, event)
            self._count(event.decision_id)
        elif event.verdict == "amend":
            self._votes.clear()
        elif event.verdict == "withdraw":
            self._ending, self._ended_by = "withdrawn", event.decision_id
        elif event.verdict == "extend" and event.deadline is not None:
            self._deadline = datetime.fromisoformat(event.deadline)
        elif event.verdict == "request_info" and self._question is None:
            self._question = event.decision_id, datetime.fromisoformat(event.at)
        elif event.verdict == "give_info" and self._question is not None:
            self._resume(datetime.fromisoformat(event.at) - self._question[1])

    def _resume(self, stood: timedelta) -> None:
        """Let the clock go on: everything that was still to come comes as much later as it stood."""
        self._question = None
        self._left = [instant._replace(at=instant.at + stood) for instant in self._left]
        self._deadline = None if self._deadline is None else self._deadline + stood

    def _count(self, decision_id: str | None = None) -> None:
        """End the approval if the votes suffice; a no comes before a yes. Without an id, time ended it: the last vote did."""
        votes = list(self._votes.values())
        replaced, rungs = self._asked()
        groups = [self._rules.ladder[rung].to for _, rung in rungs]
        no = any(refuses(group, votes) for group in groups) or (not replaced and all_refuse(self._rules.reviewers, votes))
        yes = any(agrees(group, votes) for group in groups) or (not replaced and all_agree(self._rules.reviewers, votes))
        if no or yes:
            self._ending = "reject" if no else "approve"
            said = [vote.decision_id for vote in votes if vote.verdict == self._ending]
            self._ended_by = decision_id or said[-1]

    def _asked(self) -> tuple[bool, list[tuple[int, int]]]:
        """Return whether the groups asked first are replaced, and the rungs that ask now as (how many were reached then, place)."""
        last = max((count for count, rung in enumerate(self._reached) if self._rules.ladder[rung].replace), default=-1)
        return last >= 0, [(count + 1, rung) for count, rung in enumerate(self._reached) if count >= last]

    def standing(self) -> Standing:
        """Return how it stands."""
        due = self._next() if self._ending is None else None
        deadlines = [deadline for deadline in (self._deadline, self._latest) if deadline is not None]
        return Standing(
            ending=self._ending,
            decision_id=self._ended_by,
            groups=self._groups(),
            deadline=instant_text(min(deadlines)) if deadlines else None,
            next_at=None if due is None else instant_text(due.at),
            reminders=self._reminders,
            rungs=len(self._reached),
            waits_for_info=None if self._question is None else self._question[0],
        )

    def _groups(self) -> list[GroupStanding]:
        replaced, rungs = self._asked()
        first = [] if replaced else self._rules.reviewers.groups
        return [self._shown(group, 0) for group in first] + [self._shown(self._rules.ladder[rung].to, count) for count, rung in rungs]

    def _shown(self, group: ReviewerGroup, rung: int) -> GroupStanding:
        votes = self._votes.values()
        return GroupStanding(
            role=group.role,
            quorum=group.quorum,
            veto=group.veto,
            rung=rung,
            approved_by=[vote.principal for vote in voters(group, votes, "approve")],
            rejected_by=[vote.principal for vote in voters(group, votes, "reject")],
        )
