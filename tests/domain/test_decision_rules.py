"""What an approval's own state says about a decision: late, double, own, stale, misplaced; and what an amendment makes of the digest."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import JsonValue

from domain.approval import Decision, OpenApproval, amended, approval_digest
from domain.approval_rules import ApprovalRules, Moment, ReviewerGroup, Reviewers, ReviewEvent, Verdict, instant_text, placed_by_the_clock
from domain.decision_rules import delegators, may_steer, refusal, votes_now
from domain.principals import Principal, Role
from tests.domain.play import Play
from tests.domain.programs import approve, call, program

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(hours: float) -> str:
    """Return the instant so many hours after the opening."""
    return instant_text(START + timedelta(hours=hours))


def opened(*events: ReviewEvent, four_eyes: bool = False, **change: object) -> OpenApproval:
    """Build an approval of two payers with a day's time."""
    asked = Play(program(approve("gate", binds=["pay"]), call("pay", arguments={"amount": 80, "note": "x"}))).asking("gate").approval
    reviewers = Reviewers(groups=[ReviewerGroup(role="payer", quorum=2)], four_eyes=four_eyes)
    rules = placed_by_the_clock(ApprovalRules(reviewers=reviewers, deadlines=[Moment(after_s=86_400)], latest=at(48)), at(0))
    return asked.model_copy(update={"rules": rules, "events": list(events), **change})


def event(verdict: Verdict, who: str = "ada", hours: float = 1, **more: object) -> ReviewEvent:
    """Build a decision that was taken."""
    said = {"verdict": verdict, "at": at(hours), "decision_id": f"dec_{verdict}_{who}", "principal": who, "roles": ["payer"], **more}
    return ReviewEvent.model_validate(said)


def code(
    approval: OpenApproval,
    verdict: str,
    who: str = "bob",
    *,
    hours: float = 2,
    content: dict[str, JsonValue] | None = None,
    comment: str = "",
    unbound: list[str] | None = None,
    digest: str | None = None,
) -> str | None:
    """Return the code of the refusal of a decision, None if it may be taken."""
    said = {"decision_id": "dec_new", "approval": approval.approval, "verdict": verdict, "principal": who, "comment": comment}
    decision = Decision.model_validate({**said, "digest": digest or approval.digest, "content": content})
    found = refusal(approval, decision, unbound=unbound, now=at(hours))
    return None if found is None else found.code


class TestEveryVerdict:
    VERDICTS = ("approve", "reject", "amend", "request_info", "give_info", "extend", "delegate", "withdraw")

    @pytest.mark.parametrize("verdict", VERDICTS)
    def test_is_late_after_the_deadline_even_before_its_timer(self, verdict: str) -> None:
        assert code(opened(), verdict, hours=24) == "approval-closed"

    @pytest.mark.parametrize("verdict", VERDICTS)
    def test_names_the_digest_of_what_will_run(self, verdict: str) -> None:
        assert code(opened(), verdict, digest="0" * 64) == "stale-digest"

    @pytest.mark.parametrize("verdict", ["approve", "reject", "amend", "request_info", "delegate"])
    def test_of_a_reviewer_is_not_the_requesters(self, verdict: str) -> None:
        assert code(opened(), verdict, "prn_starter") == "forbidden"


class TestVote:
    def test_is_given_once_by_each_person(self) -> None:
        assert code(opened(event("approve", "bob")), "reject", "bob") == "already-decided"
        assert code(opened(event("approve", "bob")), "approve", "eve") is None

    def test_that_a_delegate_gave_is_the_delegators(self) -> None:
        given = opened(event("approve", "del", acting_for="bob"))
        assert [code(given, "approve", who) for who in ("bob", "del", "eve")] == ["already-decided", "already-decided", None]

    def test_is_asked_anew_after_an_amendment(self) -> None:
        given = opened(event("approve", "bob"), event("amend", "eve"))
        assert (code(given, "approve", "bob"), votes_now(given)) == (None, [])

    def test_is_not_the_amenders_where_four_eyes_are_asked(self) -> None:
        given = opened(event("amend", "bob"), four_eyes=True, amended_by="bob")
        assert (code(given, "approve", "bob"), code(given, "reject", "bob"), code(given, "approve", "eve")) == ("forbidden", None, None)


class TestAmendment:
    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            ({"pay": {"amount": 60}}, None),
            ({"pay": {"amount": 80}}, "already-decided"),
            ({}, "invalid-input"),
            ({"pay": {}}, "invalid-input"),
            ({"other": {"amount": 60}}, "invalid-input"),
            ({"pay": {"later": 60}}, "invalid-input"),
        ],
    )
    def test_changes_bound_arguments_only(self, arguments: dict[str, JsonValue], expected: str | None) -> None:
        assert code(opened(), "amend", content={"arguments": arguments}, unbound=["pay.later"]) == expected

    def test_makes_a_new_digest_each_time_also_back_to_the_same_arguments(self) -> None:
        first = opened()
        digests = {first.digest}
        approval = first
        for count, amount in enumerate((60, 80, 60)):
            content = {"arguments": {"pay": {"amount": amount}}}
            said = {"decision_id": f"dec_{count}", "verdict": "amend", "digest": approval.digest, "principal": "bob", "content": content}
            decision = Decision.model_validate({**said, "approval": approval.approval})
            approval = amended(approval, decision, tenant="acme", run="run_1")
            digests.add(approval.digest)
            assert approval.calls[0].arguments == {"amount": amount, "note": "x"}
        assert len(digests) == 4
        assert approval.digest == approval_digest(
            tenant="acme", run="run_1", approval=approval.approval, step="gate", visit=1, nonce=approval.nonce, calls=approval.calls
        )


class TestQuestion:
    def test_is_one_at_a_time_and_answered_when_it_is_open(self) -> None:
        asked, answered = event("request_info", comment="why?"), event("give_info", "prn_starter", comment="so")
        assert code(opened(), "request_info") == "invalid-input"
        assert code(opened(), "request_info", comment="why?") is None
        assert code(opened(asked), "request_info", comment="and?") == "already-decided"
        assert code(opened(), "give_info", "prn_starter", comment="so") == "conflict"
        assert code(opened(asked), "give_info", "prn_starter", comment="so") is None
        assert code(opened(asked, answered), "give_info", "prn_starter", comment="so") == "conflict"


class TestExtension:
    @pytest.mark.parametrize(
        ("deadline", "expected"),
        [
            (at(30), None),
            (at(1), "invalid-input"),
            (at(49), "invalid-input"),
            ("soon", "invalid-input"),
            ("2026-03-02T12:00:00", "invalid-input"),
        ],
    )
    def test_gives_a_later_deadline_within_the_steps_around(self, deadline: str, expected: str | None) -> None:
        assert code(opened(), "extend", content={"deadline": deadline}) == expected

    def test_needs_a_deadline(self) -> None:
        bare = opened().model_copy(update={"rules": None, "deadline": None})
        assert code(bare, "extend", content={"deadline": at(30)}) == "conflict"


class TestDelegation:
    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            ({"to": "eve"}, None),
            ({}, "invalid-input"),
            ({"to": "bob"}, "invalid-input"),
            ({"to": "prn_starter"}, "forbidden"),
            ({"to": "eve", "starts": "soon"}, "invalid-input"),
            ({"to": "eve", "starts": at(3), "ends": at(3)}, "invalid-input"),
        ],
    )
    def test_names_somebody_else_and_dates(self, content: dict[str, JsonValue], expected: str | None) -> None:
        assert code(opened(), "delegate", content=content) == expected

    def test_counts_within_its_dates_and_the_last_one_counts(self) -> None:
        given = opened(event("delegate", "ada", to="eve", starts=at(2), ends=at(4)), event("delegate", "bob", to="eve"))
        assert [delegators(given, "eve", at(hours)) for hours in (1, 2, 4)] == [["bob"], ["ada", "bob"], ["bob"]]
        again = opened(event("delegate", "ada", to="eve"), event("delegate", "ada", to="oli"))
        assert (delegators(again, "eve", at(1)), delegators(again, "oli", at(1))) == ([], ["ada"])


class TestSteering:
    def test_is_for_operators_requesters_and_leads(self) -> None:
        def who(role: Role, *roles: str) -> Principal:
            return Principal(id="p", tenant="acme", role=role, reviewer_roles=roles)

        asked = {"requester": "r", "lead_roles": ["lead"]}
        assert may_steer(who(Role.OPERATOR), "extend", **asked)  # pyright: ignore[reportArgumentType]  # its own keywords
        assert may_steer(who(Role.APPROVER, "lead"), "extend", **asked)  # pyright: ignore[reportArgumentType]  # its own keywords
        assert not may_steer(who(Role.VIEWER, "lead"), "extend", **asked)  # pyright: ignore[reportArgumentType]  # its own keywords
        assert not may_steer(who(Role.APPROVER, "lead"), "withdraw", **asked)  # pyright: ignore[reportArgumentType]  # its own keywords
        assert may_steer(who(Role.VIEWER), "withdraw", requester="p", lead_roles=[])
