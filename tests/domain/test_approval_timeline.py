"""The timeline of approvals: groups, quorum, veto, four eyes, reminders, the ladder, deadlines, questions; also against a plain model."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.approval_rules import (
    ApprovalRules,
    Moment,
    OnTimeout,
    ReviewerGroup,
    Reviewers,
    ReviewEvent,
    Rung,
    Verdict,
    instant_text,
    placed,
    placed_by_the_clock,
)
from domain.approval_timeline import Standing, standing_of

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = 3600.0


def at(hours: float) -> str:
    """Return the instant so many hours after the opening."""
    return instant_text(START + timedelta(hours=hours))


def group(role: str, quorum: int = 1, *, veto: bool = False) -> ReviewerGroup:
    """Build a group."""
    return ReviewerGroup(role=role, quorum=quorum, veto=veto)


def rung(after_h: float | None, role: str = "lead", quorum: int = 1, *, replace: bool = False) -> Rung:
    """Build a rung of the ladder."""
    return Rung(to=group(role, quorum), moment=None if after_h is None else Moment(after_s=after_h * HOUR), replace=replace)


def rules(
    *groups: ReviewerGroup, any_of: bool = False, four_eyes: bool = False, deadlines_h: tuple[float, ...] = (), **more: object
) -> ApprovalRules:
    """Build rules whose moments count by the clock."""
    reviewers = Reviewers(groups=list(groups) or [group("payer")], combine="any" if any_of else "all", four_eyes=four_eyes)
    ends = [Moment(after_s=hours * HOUR) for hours in deadlines_h]
    return placed_by_the_clock(ApprovalRules.model_validate({"reviewers": reviewers, "deadlines": ends, **more}), at(0))


def said(verdict: Verdict, who: str, hours: float, roles: str = "payer", **more: object) -> ReviewEvent:
    """Build a decision; `roles` are parted by blanks."""
    told = {"verdict": verdict, "at": at(hours), "decision_id": f"dec_{who}_{hours}", "principal": who, "roles": roles.split(), **more}
    return ReviewEvent.model_validate(told)


def stands(given_rules: ApprovalRules, *events: ReviewEvent, hours: float = 1) -> Standing:
    """Return how it stands after so many hours."""
    return standing_of(given_rules, list(events), at(hours))


class TestQuorum:
    def test_of_one_is_met_by_one_yes(self) -> None:
        standing = stands(rules(), said("approve", "ada", 0.5))
        assert (standing.ending, standing.decision_id, standing.next_at) == ("approve", "dec_ada_0.5", None)

    def test_of_two_waits_for_the_second_person(self) -> None:
        two = rules(group("payer", 2))
        one = stands(two, said("approve", "ada", 0.1))
        assert (one.ending, one.groups[0].approved_by) == (None, ["ada"])
        assert stands(two, said("approve", "ada", 0.1), said("approve", "bob", 0.2)).ending == "approve"

    def test_counts_each_person_once(self) -> None:
        assert stands(rules(group("payer", 2)), said("approve", "ada", 0.1), said("approve", "ada", 0.2)).ending is None

    def test_counts_nobody_without_the_role(self) -> None:
        assert stands(rules(), said("approve", "ada", 0.1, "other")).ending is None

    def test_of_two_is_refused_by_two(self) -> None:
        two = rules(group("payer", 2))
        assert stands(two, said("reject", "ada", 0.1)).ending is None
        assert stands(two, said("reject", "ada", 0.1), said("approve", "eve", 0.2), said("reject", "bob", 0.3)).ending == "reject"

    def test_is_refused_by_one_veto(self) -> None:
        assert stands(rules(group("payer", 3, veto=True)), said("reject", "ada", 0.1)).ending == "reject"

    def test_takes_a_delegates_vote_as_the_delegators(self) -> None:
        two = rules(group("payer", 2))
        assert stands(two, said("approve", "bob", 0.1, acting_for="ada"), said("approve", "ada", 0.2)).ending is None


class TestGroups:
    BOTH = rules(group("payer"), group("lawyer"))
    EITHER = rules(group("payer"), group("lawyer"), any_of=True)

    def test_all_have_to_agree(self) -> None:
        assert stands(self.BOTH, said("approve", "ada", 0.1)).ending is None
        assert stands(self.BOTH, said("approve", "ada", 0.1), said("approve", "bob", 0.2, "lawyer")).ending == "approve"

    def test_one_that_refuses_is_enough_where_all_have_to_agree(self) -> None:
        assert stands(self.BOTH, said("reject", "bob", 0.2, "lawyer")).ending == "reject"

    def test_any_may_agree(self) -> None:
        assert stands(self.EITHER, said("approve", "bob", 0.2, "lawyer")).ending == "approve"

    def test_all_have_to_refuse_where_any_may_agree(self) -> None:
        assert stands(self.EITHER, said("reject", "ada", 0.1)).ending is None
        assert stands(self.EITHER, said("reject", "ada", 0.1), said("reject", "bob", 0.2, "lawyer")).ending == "reject"

    def test_a_veto_ends_it_where_any_may_agree(self) -> None:
        either = rules(group("payer"), group("lawyer", veto=True), any_of=True)
        assert stands(either, said("reject", "bob", 0.2, "lawyer")).ending == "reject"

    def test_one_person_of_both_counts_for_both(self) -> None:
        assert stands(self.BOTH, said("approve", "ada", 0.1, "payer lawyer")).ending == "approve"

    def test_four_eyes_need_a_person_for_each(self) -> None:
        four = rules(group("payer"), group("lawyer"), four_eyes=True)
        assert stands(four, said("approve", "ada", 0.1, "payer lawyer")).ending is None
        assert stands(four, said("approve", "ada", 0.1, "payer lawyer"), said("approve", "bob", 0.2, "lawyer")).ending == "approve"

    def test_four_eyes_find_seats_for_people_of_several_roles(self) -> None:
        four = rules(group("a", 2), group("b", 1), group("c", 1), four_eyes=True)
        people = [("w", "a b c"), ("x", "a b"), ("y", "b c"), ("z", "a")]
        for order in permutations(people):
            votes = [said("approve", who, 0.1 * (place + 1), roles) for place, (who, roles) in enumerate(order)]
            assert stands(four, *votes).ending == "approve"
            assert stands(four, *votes[:3]).ending is None


class TestReminders:
    def test_are_due_at_their_instants(self) -> None:
        reminded = rules(remind=[Moment(after_s=4 * HOUR), Moment(after_s=20 * HOUR)], deadlines_h=(24,))
        seen = [(stands(reminded, hours=hours).reminders, stands(reminded, hours=hours).next_at) for hours in (0, 3.9, 4, 20, 23)]
        assert seen == [(0, at(4)), (0, at(4)), (1, at(20)), (2, at(24)), (2, at(24))]

    def test_over_weeks_come_one_by_one(self) -> None:
        days = range(1, 29)
        reminded = rules(remind=[Moment(after_s=day * 24 * HOUR) for day in days], deadlines_h=(30 * 24,))
        seen: list[str] = []
        now = at(0)
        while (standing := standing_of(reminded, [], now)).next_at is not None:
            seen.append(now := standing.next_at)
        assert seen == [at(24 * day) for day in (*days, 30)]
        assert (standing.reminders, standing.ending) == (28, "timed_out")


class TestLadder:
    def test_adds_a_group_that_decides_alone(self) -> None:
        laddered = rules(group("payer", 2), ladder=[rung(12)], deadlines_h=(24,))
        assert stands(laddered, hours=11).rungs == 0
        later = stands(laddered, hours=12)
        assert (later.rungs, [g.role for g in later.groups]) == (1, ["payer", "lead"])
        assert stands(laddered, said("approve", "lea", 13, "lead"), hours=14).ending == "approve"
        assert stands(laddered, said("reject", "lea", 13, "lead"), hours=14).ending == "reject"

    def test_may_replace_those_before(self) -> None:
        laddered = rules(ladder=[rung(6, "other"), rung(12, replace=True)], deadlines_h=(24,))
        assert [g.role for g in stands(laddered, hours=13).groups] == ["lead"]
        assert stands(laddered, said("approve", "ada", 13), hours=14).ending is None
        assert stands(laddered, said("approve", "oli", 13, "other"), hours=14).ending is None
        assert stands(laddered, said("approve", "lea", 13, "lead"), hours=14).ending == "approve"

    def test_counts_a_vote_given_before_by_somebody_of_the_rung(self) -> None:
        laddered = rules(group("payer", 2), ladder=[rung(12)])
        early = said("approve", "lea", 1, "payer lead")
        assert stands(laddered, early, hours=11).ending is None
        assert (stands(laddered, early, hours=12).ending, stands(laddered, early, hours=12).decision_id) == ("approve", "dec_lea_1")


class TestDeadline:
    def test_ends_it(self) -> None:
        ended = rules(deadlines_h=(24,))
        assert (stands(ended, hours=23.9).ending, stands(ended, hours=24).ending) == (None, "timed_out")
        assert stands(ended, said("approve", "ada", 24), hours=25).ending == "timed_out"

    def test_that_escalates_reaches_the_next_rung_and_begins_anew(self) -> None:
        climbing = rules(ladder=[rung(None), rung(None, "board")], deadlines_h=(24, 48, 72), on_timeout="escalate")
        seen = [stands(climbing, hours=hours) for hours in (23, 24, 48, 71, 72)]
        assert [(s.rungs, s.deadline, s.ending) for s in seen] == [
            (0, at(24), None), (1, at(48), None), (2, at(72), None), (2, at(72), None), (2, at(72), "timed_out"),
        ]  # fmt: skip

    def test_of_the_steps_around_ends_it_whatever_the_ladder_says(self) -> None:
        climbing = rules(ladder=[rung(None)], deadlines_h=(24, 48), on_timeout="escalate", latest=at(30))
        assert (stands(climbing, hours=29).rungs, stands(climbing, hours=30).ending) == (1, "timed_out")
        assert stands(climbing, hours=29).deadline == at(30)

    def test_is_extended(self) -> None:
        longer = [said("extend", "op", 23, deadline=at(40))]
        assert (stands(rules(deadlines_h=(24,)), *longer, hours=39).ending, stands(rules(deadlines_h=(24,)), *longer, hours=40).ending) == (
            None,
            "timed_out",
        )


class TestQuestion:
    def test_stops_the_clock_until_it_is_answered(self) -> None:
        asked = rules(remind=[Moment(after_s=4 * HOUR)], ladder=[rung(12)], deadlines_h=(24,))
        question = said("request_info", "ada", 2)
        waiting = stands(asked, question, hours=100)
        assert (waiting.ending, waiting.reminders, waiting.next_at, waiting.waits_for_info) == (None, 0, None, "dec_ada_2")
        answered = said("give_info", "asker", 102)
        assert stands(asked, question, answered, hours=102).next_at == at(104)
        assert stands(asked, question, answered, hours=123).rungs == 1
        assert stands(asked, question, answered, hours=124).ending == "timed_out"

    def test_leaves_a_vote_possible(self) -> None:
        assert stands(rules(), said("request_info", "ada", 0.2), said("approve", "bob", 0.3)).ending == "approve"

    def test_does_not_stop_the_steps_around(self) -> None:
        assert stands(rules(latest=at(10)), said("request_info", "ada", 2), hours=10).ending == "timed_out"


class TestOtherDecisions:
    def test_an_amendment_voids_the_votes_before(self) -> None:
        two = rules(group("payer", 2))
        events = [said("approve", "ada", 0.1), said("amend", "bob", 0.2), said("approve", "eve", 0.3)]
        assert stands(two, *events).ending is None
        assert stands(two, *events, said("approve", "ada", 0.4)).ending == "approve"

    def test_a_withdrawal_ends_it(self) -> None:
        assert stands(rules(), said("withdraw", "asker", 0.1), said("approve", "ada", 0.2)).ending == "withdrawn"


class TestPlaced:
    def test_takes_instants_in_the_order_of_moments(self) -> None:
        bare = ApprovalRules(
            reviewers=Reviewers(groups=[group("payer")]),
            remind=[Moment(after_s=1)],
            ladder=[rung(None), Rung(to=group("lead"), moment=Moment(after_s=2))],
            deadlines=[Moment(after_s=3)],
        )
        known = placed(bare, ["r", "l", "d"])
        assert ([m.at for m in known.remind], known.ladder[0].moment, known.deadlines[0].at) == (["r"], None, "d")
        assert known.ladder[1].moment == Moment(after_s=2, at="l")
        with pytest.raises(ValueError, match="shorter"):
            placed(bare, ["r", "l"])


ROLES = ("a", "b", "c")
PEOPLE = ("p", "q", "r", "s")
votes_of_people = st.lists(
    st.tuples(st.sampled_from(PEOPLE), st.sampled_from(["approve", "reject"]), st.sets(st.sampled_from(ROLES), min_size=1)), max_size=8
)
groups_of_reviewers = st.lists(
    st.tuples(st.sampled_from(ROLES), st.integers(1, 3), st.booleans()), min_size=1, max_size=3, unique_by=lambda each: each[0]
)


def plain_ending(
    groups: list[tuple[str, int, bool]], votes: list[tuple[str, str, set[str]]], *, any_of: bool, four_eyes: bool
) -> str | None:
    """A plain model: look at every prefix of the votes and count by hand; four eyes try every way to seat people."""
    first: dict[str, tuple[str, set[str]]] = {}
    for who, verdict, roles in votes:
        first.setdefault(who, (verdict, roles))
        yes = {role: {p for p, (v, r) in first.items() if v == "approve" and role in r} for role, _, _ in groups}
        no = {role: {p for p, (v, r) in first.items() if v == "reject" and role in r} for role, _, _ in groups}
        refused = [len(no[role]) >= (1 if veto else quorum) for role, quorum, veto in groups]
        if any(veto and no[role] for role, _, veto in groups) or (all(refused) if any_of else any(refused)):
            return "reject"
        full = [len(yes[role]) >= quorum for role, quorum, _ in groups]
        if any_of:
            agreed = any(full)
        elif four_eyes:
            seats = [role for role, quorum, _ in groups for _ in range(quorum)]
            people = list(first)
            agreed = any(all(p in yes[role] for p, role in zip(way, seats, strict=True)) for way in permutations(people, len(seats)))
        else:
            agreed = all(full)
        if agreed:
            return "approve"
    return None


class TestAgainstAPlainModel:
    @given(groups=groups_of_reviewers, votes=votes_of_people, any_of=st.booleans(), four_eyes=st.booleans())
    def test_votes_end_it_alike(
        self, *, groups: list[tuple[str, int, bool]], votes: list[tuple[str, str, set[str]]], any_of: bool, four_eyes: bool
    ) -> None:
        made = rules(*(group(role, quorum, veto=veto) for role, quorum, veto in groups), any_of=any_of, four_eyes=four_eyes)
        events = [
            said(verdict, who, 0.01 * (place + 1), " ".join(sorted(roles)))  # pyright: ignore[reportArgumentType] - approve or reject
            for place, (who, verdict, roles) in enumerate(votes)
        ]
        assert stands(made, *events).ending == plain_ending(groups, votes, any_of=any_of, four_eyes=four_eyes)

    @given(
        st.lists(st.integers(1, 60), max_size=4),
        st.lists(st.integers(1, 60), max_size=3),
        st.integers(1, 60),
        st.lists(st.integers(0, 60), min_size=1, max_size=6),
        st.sampled_from(["reject", "escalate"]),
    )
    def test_time_counts_alike_however_often_one_looks(
        self, remind: list[int], ladder: list[int], end: int, looks: list[int], on_timeout: OnTimeout
    ) -> None:
        made = rules(
            remind=[Moment(after_s=h * HOUR) for h in remind],
            ladder=[rung(h, f"lead{place}") for place, h in enumerate(ladder)],
            deadlines_h=tuple(end * (place + 1) for place in range(1 + (len(ladder) if on_timeout == "escalate" else 0))),
            on_timeout=on_timeout,
        )
        for hours in looks:
            seen = stands(made, hours=hours)
            rounds, reached = 1, {place for place, h in enumerate(ladder) if h <= min(hours, end)}
            while on_timeout == "escalate" and hours >= end * rounds and len(reached) < len(ladder):
                reached.add(min(set(range(len(ladder))) - reached))
                rounds += 1
                reached |= {place for place, h in enumerate(ladder) if h <= min(hours, end * rounds)}
            over = hours >= end * rounds
            assert (seen.ending, seen.rungs) == ("timed_out" if over else None, len(reached))
            assert seen.reminders == sum(h <= min(hours, end * rounds) for h in remind)
            later = [h for h in (*remind, *ladder) if h > hours]
            if not over:
                assert seen.next_at is not None
                assert seen.next_at <= at(min([*later, end * rounds])) or on_timeout == "escalate"

    @given(st.lists(st.tuples(st.integers(1, 40), st.sampled_from(["approve", "reject", "amend"]), st.sampled_from(PEOPLE)), max_size=8))
    def test_an_end_is_for_good(self, told: list[tuple[int, Verdict, str]]) -> None:
        made = rules(group("payer", 2), ladder=[rung(20)], deadlines_h=(30,))
        told = sorted(told, key=lambda each: each[0])
        events = [said(verdict, who, hours) for hours, verdict, who in told]
        ended: Standing | None = None
        for count, hours in enumerate([0, *(hours for hours, _, _ in told), 50]):
            standing = stands(made, *events[:count], hours=hours)
            if ended is not None:
                assert (standing.ending, standing.decision_id) == (ended.ending, ended.decision_id)
            ended = standing if standing.ending is not None else ended
        assert ended is not None
