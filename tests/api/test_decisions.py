"""Decisions: stored first, sent under their own id, terminal once, whoever asks twice."""

import pytest

from api.decisions import deliver_decision
from api.derived_ids import decision_id_for
from domain.errors import ApprovalClosed, Unavailable
from domain.people_stores import DecisionRow
from domain.runs import ApprovalClosure, Projection, RunStatus
from tests.api.gateway import RUN_IDS, Gateway, fresh_id, wait_for


def stored(house: Gateway) -> list[DecisionRow]:
    return list(house.stores.database.decisions.values())


def close_in_inbox(house: Gateway, run: str, approval: str, decision: str, *, by: str | None = None) -> None:
    closure = ApprovalClosure(approval=approval, decision=decision, decision_id=by, decided_at=house.stores.database.now())
    house.project(run, Projection(status=RunStatus.RUNNING, close_approval=closure), seq=2)


class TestInbox:
    def test_lists_the_earliest_deadline_first_and_those_without_one_last(self, house: Gateway) -> None:
        never, late, soon = (house.open_approval(house.start(), deadline_s=deadline) for deadline in (None, 7200, 60))
        shown = house.client("approver").get("/v1/approvals?state=open").json()["items"]
        assert [one["approval"] for one in shown] == [soon, late, never]

    def test_shows_the_calls_argument_for_argument_and_the_digest(self, house: Gateway) -> None:
        run = house.start()
        approval = house.open_approval(run)
        shown = house.client("approver").get(f"/v1/approvals/{approval}").json()
        assert shown["calls"] == [{"step": "settle.pay", "tool": "bank.pay", "version": "1.0.0", "arguments": {"amount": 250}}]
        assert shown["digest"] == house.temporal.approvals[approval].digest
        assert (shown["run"], shown["definition"], shown["state"]) == (run, "delay-claim", "open")

    def test_mine_is_what_my_reviewer_roles_may_decide(self, house: Gateway) -> None:
        house.open_approval(house.start())
        counts = [len(house.client(who).get("/v1/approvals?mine=true").json()["items"]) for who in ("approver", "outsider", "viewer")]
        assert counts == [1, 0, 0]

    def test_closed_approvals_are_found_by_state(self, house: Gateway) -> None:
        run = house.start()
        approval = house.open_approval(run)
        close_in_inbox(house, run, approval, "timed_out")
        client = house.client("viewer")
        assert client.get("/v1/approvals?state=open").json()["items"] == []
        assert [one["approval"] for one in client.get("/v1/approvals?state=timed_out").json()["items"]] == [approval]

    def test_of_another_tenant_is_the_same_404_as_none(self, house: Gateway) -> None:
        approval = house.open_approval(house.start())
        answers = [house.client("stranger").get(f"/v1/approvals/{one}").status_code for one in (approval, fresh_id("apr"))]
        assert answers == [404, 404]


class TestDecision:
    @pytest.mark.parametrize("verdict", ["approve", "reject"])
    def test_is_200_when_the_run_took_it(self, house: Gateway, verdict: str) -> None:
        approval = house.open_approval(house.start())
        answer = house.decide(approval, verdict=verdict, comment="seen the ticket")
        said = answer.json()
        assert (answer.status_code, said["state"], said["verdict"]) == (200, "accepted", verdict)
        assert said["decided_by"] == house.principals["approver"].id
        assert said["decided_at"].endswith("Z"), "as every time of the API is written"
        assert house.temporal.decisions[said["decision_id"]].comment == "seen the ticket"
        assert [row.state for row in stored(house)] == ["accepted"]

    def test_is_stored_before_it_is_sent(self, house: Gateway) -> None:
        approval = house.open_approval(house.start())
        house.temporal.down = Unavailable("Temporal does not answer")
        answer = house.decide(approval)
        assert (answer.status_code, answer.json()["state"]) == (202, "stored")
        assert [(row.decision_id, row.state) for row in stored(house)] == [(answer.json()["decision_id"], "stored")]

    def test_that_got_no_answer_in_time_is_unknown_and_not_refused(self, house: Gateway) -> None:
        approval = house.open_approval(house.start())
        house.temporal.silent = True
        answer = house.decide(approval)
        assert (answer.status_code, answer.json()["state"], answer.json()["decided_at"]) == (202, "stored", None)
        assert "being delivered" in answer.json()["detail"]

    def test_is_delivered_later_under_the_same_id_and_applied_once(self, house: Gateway) -> None:
        approval = house.open_approval(house.start())
        house.temporal.silent = True
        house.decide(approval)
        house.temporal.silent = False
        delivery = wait_for(deliver_decision(house.deps, stored(house)[0], timeout_s=1))
        assert (delivery.state, house.temporal.sends, len(house.temporal.decisions)) == ("accepted", 2, 1)
        assert stored(house)[0].state == "accepted"

    def test_that_is_terminal_is_not_sent_again(self, house: Gateway) -> None:
        house.decide(house.open_approval(house.start()))
        wait_for(deliver_decision(house.deps, stored(house)[0], timeout_s=1))
        assert house.temporal.sends == 1


class TestRefusedDecision:
    def test_by_the_requester(self, house: Gateway) -> None:
        approval = house.open_approval(house.start("admin"))
        answer = house.decide(approval, "admin")
        assert (answer.status_code, answer.json()["code"], stored(house)) == (403, "forbidden", [])

    def test_is_none_by_the_requester_when_the_approval_allows_it(self, house: Gateway) -> None:
        approval = house.open_approval(house.start("admin"), exclude_requester=False)
        assert house.decide(approval, "admin").status_code == 200

    @pytest.mark.parametrize("who", ["viewer", "operator", "developer", "auditor"])
    def test_by_another_platform_role(self, house: Gateway, who: str) -> None:
        assert house.decide(house.open_approval(house.start()), who).status_code == 403

    def test_by_an_approver_without_the_reviewer_role(self, house: Gateway) -> None:
        answer = house.decide(house.open_approval(house.start()), "outsider")
        assert (answer.status_code, "claims-approver" in answer.json()["detail"], stored(house)) == (403, True, [])

    def test_with_a_stale_digest_names_the_right_one(self, house: Gateway) -> None:
        approval = house.open_approval(house.start())
        said = house.decide(approval, digest="0" * 64).json()
        assert (said["status"], said["code"]) == (422, "stale-digest")
        assert house.temporal.approvals[approval].digest in said["detail"]

    def test_twice_is_approval_closed(self, house: Gateway) -> None:
        approval = house.open_approval(house.start())
        assert house.decide(approval).status_code == 200
        again = house.decide(approval, "approver_2", verdict="reject")
        assert (again.status_code, again.json()["code"]) == (409, "approval-closed")
        assert [row.state for row in stored(house)] == ["accepted", "refused"]

    def test_after_the_inbox_closed_stores_nothing(self, house: Gateway) -> None:
        run = house.start()
        approval = house.open_approval(run)
        close_in_inbox(house, run, approval, "timed_out")
        answer = house.decide(approval)
        assert (answer.json()["code"], "timed_out" in answer.json()["detail"], stored(house)) == ("approval-closed", True, [])

    def test_after_the_run_ended_is_approval_closed_and_settled(self, house: Gateway) -> None:
        approval = house.open_approval(house.start())
        house.temporal.started.clear()
        assert house.decide(approval).json()["code"] == "approval-closed"
        assert [(row.state, (row.refusal or {}).get("code")) for row in stored(house)] == [("refused", "approval-closed")]

    def test_of_an_unknown_or_foreign_approval_is_404(self, house: Gateway) -> None:
        approval = house.open_approval(house.start())
        assert house.decide(approval, "stranger").status_code == 404
        body = {"verdict": "approve", "digest": "0" * 64}
        assert house.client("approver").post(f"/v1/approvals/{fresh_id('apr')}/decision", json=body).status_code == 404

    @pytest.mark.parametrize("change", [{"verdict": "maybe"}, {"digest": "abc"}, {"comment": "x" * 2001}, {"reason": "why"}])
    def test_that_breaks_its_schema_is_422(self, house: Gateway, change: dict[str, str]) -> None:
        approval = house.open_approval(house.start())
        verdict = change.pop("verdict", "approve")
        assert house.decide(approval, verdict=verdict, **change).json()["code"] == "invalid-input"


class TestDecisionWithAnIdempotencyKey:
    def test_replays_the_answer_byte_for_byte(self, house: Gateway) -> None:
        approval = house.open_approval(house.start())
        first, again = house.decide(approval, key="k"), house.decide(approval, key="k")
        assert (again.status_code, again.content) == (200, first.content)
        assert again.headers["idempotency-replayed"] == "true"
        assert house.temporal.sends == 1

    def test_replays_a_refusal_that_was_stored(self, house: Gateway) -> None:
        approval = house.open_approval(house.start())
        house.decide(approval, "approver_2")
        first, again = house.decide(approval, key="k"), house.decide(approval, key="k")
        assert (again.status_code, again.content) == (409, first.content)

    def test_finds_its_decision_again_after_a_crash_before_the_answer(self, house: Gateway) -> None:
        approval = house.open_approval(house.start())
        house.temporal.silent = True
        first = house.decide(approval, key="k").json()
        house.temporal.silent = False
        house.forget_answers()
        again = house.decide(approval, key="k")
        assert (again.status_code, again.json()["decision_id"]) == (200, first["decision_id"])
        assert len(stored(house)) == 1

    def test_says_what_became_of_a_decision_settled_meanwhile(self, house: Gateway) -> None:
        approval = house.open_approval(house.start())
        house.decide(approval, key="k")
        house.forget_answers()
        again = house.decide(approval, key="k")
        assert (again.status_code, again.json()["state"], house.temporal.sends) == (200, "accepted", 1)

    def test_refuses_another_decision_even_when_the_answer_was_lost(self, house: Gateway) -> None:
        approval = house.open_approval(house.start())
        house.decide(approval, key="k")
        house.forget_answers()
        assert house.decide(approval, key="k", verdict="reject").json()["code"] == "idempotency-key-reused"

    def test_has_an_id_of_its_tenant_approval_and_key(self) -> None:
        ids = {decision_id_for(RUN_IDS, tenant, approval, key) for tenant in "ab" for approval in "cd" for key in "ef"}
        assert (len(ids), all(one.startswith("dec_") for one in ids)) == (8, True)


class TestApproveSignal:
    def post(self, house: Gateway, run: str, approval: str, *, who: str = "approver", key: str = "") -> tuple[int, dict[str, str]]:
        body = {"approval": approval, "verdict": "approve", "digest": house.temporal.approvals[approval].digest}
        headers = {"Idempotency-Key": key} if key else {}
        answer = house.client(who).post(f"/v1/runs/{run}/signals/approve", json=body, headers=headers)
        return answer.status_code, answer.json()

    def test_is_stored_attested_and_sent(self, house: Gateway) -> None:
        run = house.start()
        status, said = self.post(house, run, house.open_approval(run))
        assert (status, said["state"], list(house.temporal.decisions)) == (202, "stored", [said["decision_id"]])

    def test_is_settled_as_accepted_by_the_sweeper_though_the_approval_is_closed(self, house: Gateway) -> None:
        run = house.start()
        self.post(house, run, house.open_approval(run))
        house.temporal.decisions.clear()
        assert wait_for(deliver_decision(house.deps, stored(house)[0], timeout_s=1)).state == "accepted"

    @pytest.mark.parametrize("end", ["sweeper", "signal again"])
    def test_that_decided_is_settled_as_accepted_though_the_run_has_ended(self, house: Gateway, end: str) -> None:
        run = house.start()
        approval = house.open_approval(run)
        decision = self.post(house, run, approval, key="k")[1]["decision_id"]
        close_in_inbox(house, run, approval, "approve", by=decision)
        house.temporal.started.clear()
        house.temporal.approvals.clear()
        if end == "sweeper":
            wait_for(deliver_decision(house.deps, stored(house)[0], timeout_s=1))
        else:
            house.forget_answers()
            body = {"approval": approval, "verdict": "approve", "digest": stored(house)[0].digest}
            answer = house.client("approver").post(f"/v1/runs/{run}/signals/approve", json=body, headers={"Idempotency-Key": "k"})
            assert (answer.status_code, answer.json()["state"]) == (200, "accepted")
        assert [(row.state, row.refusal) for row in stored(house)] == [("accepted", None)]

    def test_stays_stored_while_nobody_can_say_whether_it_was_taken(self, house: Gateway) -> None:
        run = house.start()
        approval = house.open_approval(run)
        self.post(house, run, approval)
        house.temporal.decisions.clear()
        house.temporal.mute = Unavailable("the run has no worker")
        assert wait_for(deliver_decision(house.deps, stored(house)[0], timeout_s=1)).state == "stored"
        assert stored(house)[0].state == "stored"
        house.temporal.mute = None
        assert wait_for(deliver_decision(house.deps, stored(house)[0], timeout_s=1)).state == "accepted"

    def test_that_lost_the_race_is_settled_as_refused(self, house: Gateway) -> None:
        run = house.start()
        approval = house.open_approval(run)
        house.temporal.down = Unavailable("down")
        assert self.post(house, run, approval)[0] == 202
        house.temporal.down = None
        house.decide(approval, "approver_2")
        delivery = wait_for(deliver_decision(house.deps, stored(house)[0], timeout_s=1))
        assert (delivery.state, type(delivery.refusal)) == ("refused", ApprovalClosed)

    def test_after_the_run_ended_is_409(self, house: Gateway) -> None:
        run = house.start()
        approval = house.open_approval(run)
        house.temporal.started.clear()
        assert self.post(house, run, approval)[0] == 409
        assert [row.state for row in stored(house)] == ["refused"]

    def test_needs_the_approval_to_be_the_runs_own(self, house: Gateway) -> None:
        approval = house.open_approval(house.start())
        assert self.post(house, house.start(), approval)[0] == 404

    def test_needs_the_reviewer_role(self, house: Gateway) -> None:
        run = house.start()
        assert self.post(house, run, house.open_approval(run), who="outsider")[0] == 403

    def test_with_a_key_of_a_settled_decision_answers_from_its_row(self, house: Gateway) -> None:
        run = house.start()
        approval = house.open_approval(run)
        self.post(house, run, approval, key="k")
        wait_for(house.stores.approvals.settle_decision("default", stored(house)[0].decision_id, state="accepted", refusal=None))
        house.forget_answers()
        assert self.post(house, run, approval, key="k")[0] == 200
