"""The timeline of a human task against a plain model, and who may answer one."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.principals import Principal, Role
from domain.tasks import HUMAN, TaskProjection, TaskRung, TaskTerms, advanced, escalated, next_moment, play, refusal, with_terms

OPENED = datetime(2026, 3, 2, 12, tzinfo=UTC)


def at(seconds: float) -> str:
    """Return an instant after the opening."""
    return (OPENED + timedelta(seconds=seconds)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def task(terms: TaskTerms | None = None, *, kind: str = HUMAN) -> TaskProjection:
    """Build a task."""
    bare = TaskProjection(task="tsk_1", kind=kind, step="ask", visit=1, call="task", title="t", detail="d", opened_at=at(0))
    return with_terms(bare, terms)


def somebody(role: Role, *reviewer_roles: str, name: str = "prn_a") -> Principal:
    """Build a principal."""
    return Principal(id=name, tenant="default", role=role, reviewer_roles=reviewer_roles, name=name)


RUNGS = st.lists(st.tuples(st.integers(1, 50), st.sampled_from("abc")), max_size=4)


class TestTimeline:
    @given(RUNGS, st.none() | st.integers(1, 50), st.integers(0, 60))
    def test_is_what_a_list_of_moments_says(self, rungs: list[tuple[int, str]], due: int | None, now: int) -> None:
        terms = TaskTerms(principal="prn_a", due_s=due, ladder=[TaskRung(after_s=after, role=role) for after, role in rungs])
        told: list[TaskProjection] = []
        seen = play(task(terms), at(now), told.append)
        passed = [role for after, role in sorted(rungs, key=lambda rung: rung[0]) if after <= now]
        assert (seen.level, seen.role) == (len(passed), passed[-1] if passed else None)
        assert seen.assignee == (None if passed else "prn_a")
        assert (seen.breached_at is not None) == (due is not None and due <= now)
        assert len(told) == len(passed) + (seen.breached_at is not None)
        assert advanced(seen, at(now)) is None

    @given(RUNGS, st.none() | st.integers(1, 50))
    def test_played_moment_by_moment_ends_as_played_at_once(self, rungs: list[tuple[int, str]], due: int | None) -> None:
        terms = TaskTerms(due_s=due, ladder=[TaskRung(after_s=after, role=role) for after, role in rungs])
        slow = task(terms)
        while (moment := next_moment(slow)) is not None:
            changed = advanced(slow, moment)
            assert changed is not None
            slow = changed
        assert slow == play(task(terms), at(100), lambda _: None)

    def test_has_no_moment_without_terms(self) -> None:
        assert next_moment(task()) is None
        assert advanced(task(), at(10**6)) is None

    def test_takes_a_task_from_whoever_has_it_when_it_is_handed_on(self) -> None:
        handed = escalated(task(TaskTerms(principal="prn_a")), "lead")
        assert (handed.role, handed.assignee, handed.level) == ("lead", None, 1)


class TestWhoMayAnswer:
    @pytest.mark.parametrize(
        ("terms", "kind", "who", "may"),
        [
            (TaskTerms(principal="prn_a"), HUMAN, somebody(Role.APPROVER), True),
            (TaskTerms(principal="prn_x"), HUMAN, somebody(Role.APPROVER), False),
            (TaskTerms(principal="prn_x"), HUMAN, somebody(Role.OPERATOR), False),
            (TaskTerms(principal="prn_x"), HUMAN, somebody(Role.ADMIN), True),
            (TaskTerms(role="desk"), HUMAN, somebody(Role.APPROVER, "desk"), True),
            (TaskTerms(role="desk"), HUMAN, somebody(Role.OPERATOR), False),
            (TaskTerms(principal="prn_x", role="desk"), HUMAN, somebody(Role.APPROVER, "desk"), False),
            (None, HUMAN, somebody(Role.APPROVER), True),
            (None, HUMAN, somebody(Role.VIEWER), False),
            (None, "in_doubt", somebody(Role.OPERATOR), True),
            (None, "in_doubt", somebody(Role.APPROVER), False),
            (TaskTerms(role="payments"), "in_doubt", somebody(Role.APPROVER, "payments"), True),
        ],
    )
    def test_is_whoever_it_is_for(self, terms: TaskTerms | None, kind: str, who: Principal, *, may: bool) -> None:
        assert (refusal(task(terms, kind=kind), who) is None) == may
