"""Counting votes: when groups of reviewers have said yes or no, each person for one group where four eyes are asked. Pure."""

from collections.abc import Iterable, Mapping
from typing import Literal

from domain.approval_rules import ReviewerGroup, Reviewers, ReviewEvent

Said = Literal["approve", "reject"]


def voters(group: ReviewerGroup, votes: Iterable[ReviewEvent], said: Said) -> list[ReviewEvent]:
    """Return the votes of this kind that count for a group."""
    return [vote for vote in votes if vote.verdict == said and group.role in vote.roles]


def refuses(group: ReviewerGroup, votes: Iterable[ReviewEvent]) -> bool:
    """Whether a group has said no: by one veto, or by as many rejections as its quorum."""
    return len(voters(group, votes, "reject")) >= (1 if group.veto else group.quorum)


def agrees(group: ReviewerGroup, votes: Iterable[ReviewEvent]) -> bool:
    """Whether a group has said yes."""
    return len(voters(group, votes, "approve")) >= group.quorum


def all_refuse(reviewers: Reviewers, votes: list[ReviewEvent]) -> bool:
    """Whether the groups together have said no: any veto, one group where all have to agree, every group where any may."""
    no = [refuses(group, votes) for group in reviewers.groups]
    vetoed = any(group.veto and refused for group, refused in zip(reviewers.groups, no, strict=True))
    return vetoed or (any(no) if reviewers.combine == "all" else all(no))


def all_agree(reviewers: Reviewers, votes: list[ReviewEvent]) -> bool:
    """Whether the groups together have said yes."""
    yes = [agrees(group, votes) for group in reviewers.groups]
    if reviewers.combine == "any":
        return any(yes)
    return all(yes) and (not reviewers.four_eyes or _seated(reviewers.groups, votes))


def _seated(groups: list[ReviewerGroup], votes: list[ReviewEvent]) -> bool:
    """Whether every seat of every group can be taken by a person of its own (a matching, by augmenting paths)."""
    seats = [group for group in groups for _ in range(group.quorum)]
    fits = {place: [vote.principal for vote in voters(group, votes, "approve")] for place, group in enumerate(seats)}
    seat_of: dict[str, int] = {}
    return all(_seat(place, fits, seat_of, set()) for place in fits)


def _seat(place: int, fits: Mapping[int, list[str]], seat_of: dict[str, int], tried: set[str]) -> bool:
    """Find a person for a seat, moving others to seats of theirs where that helps."""
    for person in fits[place]:
        if person in tried:
            continue
        tried.add(person)
        if person not in seat_of or _seat(seat_of[person], fits, seat_of, tried):
            seat_of[person] = place
            return True
    return False
