"""Decisions beyond yes and no, batches, and who may say what, as the gateway checks before it stores anything."""

from datetime import timedelta

import pytest
from pydantic import JsonValue

from api.views import BatchAnswer, BatchAnswers
from domain.approval_rules import ApprovalRules, Moment, ReviewerGroup, Reviewers, Rung, placed_by_the_clock
from domain.effects import Carrier
from domain.principals import Role
from domain.runs import ApprovalProjection, Projection
from tests.api.gateway import REVIEWER_ROLE, Gateway, wait_for

LEAD = Rung(to=ReviewerGroup(role="lead"), moment=Moment(after_s=3600))


def said(house: Gateway, approval: str, who: str, verdict: str, **more: JsonValue) -> tuple[int, dict[str, str]]:
    """Say something to an approval, naming its digest."""
    body: dict[str, JsonValue] = {"verdict": verdict, "digest": house.temporal.approvals[approval].digest, **more}
    answer = house.client(who).post(f"/v1/approvals/{approval}/decision", json=body)
    return answer.status_code, answer.json()


def changed(house: Gateway, approval: str, **change: object) -> None:
    """Change an approval in the inbox, and in the run."""
    key = ("default", approval)
    row = house.stores.database.approvals[key]
    house.stores.database.approvals[key] = row.model_copy(update={"projection": row.projection.model_copy(update=change)})
    known = {name: value for name, value in change.items() if name in ("rules", "form")}
    house.temporal.approvals[approval] = house.temporal.approvals[approval].model_copy(update=known)


def ruled(quorum: int = 1) -> ApprovalRules:
    """Build rules with a lead on the ladder."""
    groups = [ReviewerGroup(role=REVIEWER_ROLE, quorum=quorum)]
    return placed_by_the_clock(ApprovalRules(reviewers=Reviewers(groups=groups), ladder=[LEAD]), "2026-03-01T12:00:00+00:00")


class TestVerdicts:
    def test_of_a_requester_are_to_answer_and_to_withdraw(self, house: Gateway) -> None:
        approval = house.open_approval(house.start("developer"))
        assert said(house, approval, "developer", "approve")[0] == 403
        assert said(house, approval, "approver", "request_info", comment="why?")[0] == 200
        assert said(house, approval, "developer", "give_info", comment="late")[0] == 200
        assert said(house, approval, "developer", "withdraw")[1]["ending"] == "withdrawn"

    def test_of_a_reviewer_are_not_those_of_the_requester(self, house: Gateway) -> None:
        approval = house.open_approval(house.start())
        for verdict in ("withdraw", "give_info"):
            assert said(house, approval, "approver", verdict)[0] == 403

    def test_extend_is_an_operators_or_a_leads(self, house: Gateway) -> None:
        approval = house.open_approval(house.start("developer"))
        changed(house, approval, rules=ruled())
        house.add_key("lead", Role.APPROVER, reviewer_roles=("lead",))
        later = (house.stores.database.time + timedelta(days=2)).isoformat()
        answers = [said(house, approval, who, "extend", deadline=later) for who in ("approver", "developer", "lead", "operator")]
        assert [status for status, _ in answers] == [403, 403, 409, 409]
        assert "no deadline of its own" in answers[3][1]["detail"]

    @pytest.mark.parametrize("verdict", ["approve", "reject", "amend", "request_info", "delegate"])
    def test_of_a_reviewer_need_the_role(self, house: Gateway, verdict: str) -> None:
        approval = house.open_approval(house.start())
        assert said(house, approval, "outsider", verdict)[0] == 403
        assert not house.stores.database.decisions

    def test_may_be_a_delegates(self, house: Gateway) -> None:
        approval = house.open_approval(house.start())
        changed(house, approval, delegates=[house.principals["outsider"].id])
        assert said(house, approval, "outsider", "approve")[0] == 200

    def test_of_two_people_leave_it_open_after_the_first(self, house: Gateway) -> None:
        approval = house.open_approval(house.start())
        changed(house, approval, rules=ruled(2))
        assert said(house, approval, "approver", "approve")[1]["ending"] is None
        status, again = said(house, approval, "approver", "approve")
        assert (status, again["code"]) == (409, "already-decided")
        assert said(house, approval, "approver_2", "approve")[1]["ending"] == "approve"

    @pytest.mark.parametrize(
        ("verdict", "content"),
        [
            ("approve", {"arguments": {"pay": {"amount": 1}}}),
            ("reject", {"form": {"reason": "x"}}),
            ("amend", {"to": "prn_x"}),
            ("extend", {"deadline": "tomorrow"}),
            ("extend", {"deadline": "2026-03-01T12:00:00"}),
            ("nod", {}),
        ],
    )
    def test_with_the_wrong_content_break_the_schema(self, house: Gateway, verdict: str, content: dict[str, JsonValue]) -> None:
        approval = house.open_approval(house.start())
        assert said(house, approval, "approver", verdict, **content)[1]["code"] == "invalid-input"

    def test_with_a_form_have_to_fit_its_schema(self, house: Gateway) -> None:
        approval = house.open_approval(house.start())
        changed(house, approval, form={"type": "object", "required": ["reason"]})
        status, wrong = said(house, approval, "approver", "approve", form={})
        assert (status, "reason" in wrong["detail"], house.stores.database.decisions) == (422, True, {})
        assert said(house, approval, "approver", "approve", form={"reason": "late"})[0] == 200
        [stored] = house.stores.database.decisions.values()
        assert stored.content is not None
        assert stored.content.form == {"reason": "late"}


class TestBatch:
    def post(self, house: Gateway, *decisions: dict[str, JsonValue], key: str = "") -> tuple[BatchAnswer, ...]:
        """Send a batch and return its answers."""
        headers = {"Idempotency-Key": key} if key else {}
        answer = house.client("approver").post("/v1/approvals/decisions", json={"decisions": list(decisions)}, headers=headers)
        assert answer.status_code == 200, answer.text
        return BatchAnswers.model_validate(answer.json()).answers

    def body(self, house: Gateway, approval: str, verdict: str = "approve") -> dict[str, JsonValue]:
        """Build one decision of a batch."""
        return {"approval": approval, "verdict": verdict, "digest": house.temporal.approvals[approval].digest}

    def test_answers_each_by_itself_in_order(self, house: Gateway) -> None:
        first, second, third = (house.open_approval(house.start()) for _ in range(3))
        stale = {**self.body(house, second), "digest": "0" * 64}
        answers = self.post(house, self.body(house, first), stale, self.body(house, third, "reject"))
        assert [(each.approval, each.status, each.code) for each in answers] == [
            (first, 200, None),
            (second, 422, "stale-digest"),
            (third, 200, None),
        ]

    def test_with_a_key_decides_once_even_when_the_answer_was_lost(self, house: Gateway) -> None:
        approvals = [house.open_approval(house.start()) for _ in range(2)]
        bodies = [self.body(house, approval) for approval in approvals]
        first = self.post(house, *bodies, key="k")
        house.forget_answers()
        again = self.post(house, *bodies, key="k")
        assert [each.status for each in again] == [200, 200]
        assert [each.decision.decision_id for each in again if each.decision] == [
            each.decision.decision_id for each in first if each.decision
        ]
        assert (len(house.stores.database.decisions), house.temporal.sends) == (2, 2)

    def test_bounds_its_size(self, house: Gateway) -> None:
        approval = house.open_approval(house.start())
        for count in (0, 101):
            many = {"decisions": [self.body(house, approval)] * count}
            assert house.client("approver").post("/v1/approvals/decisions", json=many).status_code == 422


class TestView:
    def test_tells_where_arguments_hide_something(self, house: Gateway) -> None:
        run = house.start()
        approval = house.open_approval(run)
        row = house.stores.database.approvals["default", approval].projection
        calls: list[dict[str, JsonValue]] = [{"step": "settle.pay", "tool": "bank.pay", "arguments": {"to": "Ada\u202e", "n": ["a\u200b"]}}]
        changed(house, approval, calls=calls)
        shown = house.client("viewer").get(f"/v1/approvals/{row.approval}").json()
        assert shown["hidden"] == ["settle.pay.to: U+202E", "settle.pay.n[0]: U+200B"]

    def test_shows_how_it_stands(self, house: Gateway) -> None:
        run = house.start()
        approval = house.open_approval(run)
        seen = house.client("viewer").get(f"/v1/approvals/{approval}").json()
        assert (seen["reviewer_role"], seen["revision"], seen["events"]) == (REVIEWER_ROLE, 0, [])
        wait_for(house.stores.run_ledger.flush(house_carrier(house, run), Projection(open_approval=newer(house, approval)), fact_seq=2))
        assert house.client("viewer").get(f"/v1/approvals/{approval}").json()["revision"] == 1


def newer(house: Gateway, approval: str) -> ApprovalProjection:
    """Return the row with a higher revision."""
    return house.stores.database.approvals["default", approval].projection.model_copy(update={"revision": 1})


def house_carrier(house: Gateway, run: str) -> Carrier:
    """Return what a flush of the run's worker carries."""
    row = house.stores.database.run("default", run)
    return Carrier(tenant="default", run=run, epoch=1, principal=row.principal, correlation_id=row.correlation_id)
