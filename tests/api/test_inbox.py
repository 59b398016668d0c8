"""The inbox over HTTP: filters, what is behind an approval, assignment."""

import pytest
from pydantic import JsonValue

from domain.approval import BoundCall
from domain.large_arguments import LargeArguments, arguments_sha256, cut_arguments
from domain.provider import Message, ModelToolCall
from domain.runs import ApprovalClosure, Projection
from domain.stores import ConversationHead
from tests.api.gateway import REVIEWER_ROLE, Gateway, wait_for


def listed(house: Gateway, who: str = "approver", **query: object) -> list[str]:
    """Return the ids on a page."""
    answer = house.client(who).get("/v1/approvals", params=query)  # pyright: ignore[reportArgumentType] - plain values
    assert answer.status_code == 200, answer.text
    return [each["approval"] for each in answer.json()["items"]]


class TestInbox:
    def test_finds_by_what_an_approval_is_about(self, house: Gateway) -> None:
        run, other = house.start(), house.start()
        first, second = house.open_approval(run, deadline_s=60), house.open_approval(other)
        assert listed(house) == [first, second]
        assert listed(house, order="opened") == sorted([first, second], reverse=True)
        assert listed(house, run=other) == [second]
        assert listed(house, tool="bank.pay", definition="delay-claim", role=REVIEWER_ROLE) == [first, second]
        assert listed(house, tool="mail.send") == []
        before = house.stores.database.time.isoformat().replace("+00:00", "Z")
        assert listed(house, deadline_before=before) == []
        assert listed(house, "operator", requester="me") == [first, second]

    def test_shows_people_what_they_may_decide(self, house: Gateway) -> None:
        opened = house.open_approval(house.start())
        assert listed(house, mine=True) == [opened]
        assert listed(house, "outsider", mine=True) == []

    def test_shows_substitutes_what_they_may_decide(self, house: Gateway) -> None:
        opened = house.open_approval(house.start())
        body = {"substitute": house.principals["outsider"].id, "to": "2026-01-09T00:00:00Z"}
        assert house.client("approver").post("/v1/substitutes", json=body).status_code == 201
        assert listed(house, "outsider", mine=True) == [opened]

    def test_leaves_out_ones_own_requests(self, house: Gateway) -> None:
        run = house.start("admin")
        excluded, allowed = house.open_approval(run), house.open_approval(run, exclude_requester=False)
        assert listed(house, "admin", mine=True) == [allowed]
        assert set(listed(house, "approver", mine=True)) == {excluded, allowed}

    def test_shows_people_what_they_decided(self, house: Gateway) -> None:
        opened = house.open_approval(house.start())
        assert house.decide(opened).status_code == 200
        assert listed(house, decided_by="me") == [opened]
        assert listed(house, "approver_2", decided_by="me") == []

    @pytest.mark.parametrize("query", [{"order": "colour"}, {"run": "run_1"}, {"deadline_before": "noon"}, {"state": "shut"}, {"x": 1}])
    def test_refuses_filters_that_are_none(self, house: Gateway, query: dict[str, str]) -> None:
        answer = house.client().get("/v1/approvals", params=query)
        assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, f"query:{next(iter(query))}")


class TestOneApproval:
    def test_shows_what_is_behind_it(self, house: Gateway) -> None:
        run = house.start()
        past, opened = house.open_approval(run), house.open_approval(run)
        row = house.stores.database.approvals["default", opened]
        reply = Message(role="assistant", text='{"amount": 250}').model_dump(mode="json")
        outcome: JsonValue = {"stop": "answered", "head": {"count": 2, "digest": "d"}, "answer": {"amount": 250}, "reply": reply}
        told = {"conversation": "review#1", "answer_ref": wait_for(house.stores.payloads.put("default", run, outcome))}
        house.stores.database.approvals["default", opened] = row.model_copy(update={"projection": row.projection.model_copy(update=told)})
        said = [Message(role="user", text="claim"), Message(role="assistant", text="x" * 3000)]
        wait_for(house.stores.messages.append("default", run, "review#1", ConversationHead(count=0, digest=""), said))
        house.decide(past, comment="fair")
        house.stores.database.change_run("default", run, cost_usd_micros=70, input_tokens=9)
        shown = house.client("approver").get(f"/v1/approvals/{opened}").json()
        assert (shown["usage"]["cost_usd_micros"], shown["usage"]["input_tokens"]) == (70, 9)
        assert [(one["role"], len(one["text"]), one["cut"]) for one in shown["messages"]] == [
            ("user", 5, False),
            ("assistant", 2000, True),
            ("assistant", 15, False),
        ]
        assert shown["messages"][-1]["text"] == '{"amount": 250}'

    @pytest.mark.parametrize("tampered", [False, True])
    def test_has_large_arguments_whole_if_they_are_those_that_it_binds(self, house: Gateway, *, tampered: bool) -> None:
        run = house.start()
        opened = house.open_approval(run)
        row = house.stores.database.approvals["default", opened]
        whole: dict[str, JsonValue] = {"to": "DE\u202e01", "letter": "x" * 5000}
        asked = ModelToolCall(vendor_id="v", name="bank.pay", arguments={**whole, "to": "DE02"} if tampered else whole)
        reply = Message(role="assistant", tool_calls=[asked]).model_dump(mode="json")
        large = LargeArguments(ref="r", index=0, sha256=arguments_sha256(whole), bytes=5000)
        call = BoundCall(step="review", tool="bank.pay", version="1.0.0", arguments=cut_arguments(whole), large=large)
        told = {
            "calls": [call.model_dump(mode="json")],
            "answer_ref": wait_for(house.stores.payloads.put("default", run, {"reply": reply})),
        }
        house.stores.database.approvals["default", opened] = row.model_copy(update={"projection": row.projection.model_copy(update=told)})
        shown = house.client("approver").get(f"/v1/approvals/{opened}").json()
        assert shown["calls"][0]["arguments"]["letter"] == f"{'x' * 300}… [cut: 4700 more characters]"
        assert shown["whole"] == (None if tampered else whole)
        assert any("to" in place for place in shown["hidden"])

    def test_remembers_the_last_decisions_alike(self, house: Gateway) -> None:
        run = house.start()
        decided = [house.open_approval(run) for _ in range(6)]
        opened = house.open_approval(run)
        for number, each in enumerate(decided):
            row = house.stores.database.approvals["default", each]
            said = {"state": "approved", "decided_by": "prn_b", "decided_at": f"2026-01-0{number + 1}T00:00:00.000000Z", "comment": "fair"}
            house.stores.database.approvals["default", each] = row.model_copy(update=said)
        alike = house.client("approver").get(f"/v1/approvals/{opened}").json()["alike"]
        assert [each["approval"] for each in alike] == decided[:0:-1]
        assert (alike[0]["state"], alike[0]["decided_by"], alike[0]["comment"]) == ("approved", "prn_b", "fair")


class TestAssignment:
    def test_is_claimed_handed_over_and_released(self, house: Gateway) -> None:
        opened = house.open_approval(house.start())
        path, me, other = f"/v1/approvals/{opened}/assign", house.principals["approver"].id, house.principals["approver_2"].id
        assert house.client("approver").post(path, json={}).json()["assignee"] == me
        assert listed(house, assignee="me") == [opened]
        taken = house.client("approver_2").post(path, json={})
        assert (taken.status_code, taken.json()["code"]) == (409, "conflict")
        assert house.client("approver_2").post(path, json={"take_over": True}).json()["assignee"] == other
        assert house.client("approver_2").post(path, json={"assignee": me}).json()["assignee"] == me
        assert house.client("approver").post(path, json={"assignee": None}).json()["assignee"] is None

    def test_gives_no_authority(self, house: Gateway) -> None:
        opened = house.open_approval(house.start())
        house.client("outsider").post(f"/v1/approvals/{opened}/assign", json={})
        assert house.decide(opened, "outsider").json()["code"] == "forbidden"
        assert house.decide(opened, "approver").status_code == 200

    def test_is_of_open_approvals_to_principals_of_the_tenant(self, house: Gateway) -> None:
        opened = house.open_approval(house.start())
        path = f"/v1/approvals/{opened}/assign"
        assert house.client("stranger").post(path, json={}).status_code == 404
        unknown = house.client("approver").post(path, json={"assignee": house.principals["stranger"].id})
        assert (unknown.status_code, unknown.json()["errors"][0]["where"]) == (422, "/assignee")
        closed = ApprovalClosure(approval=opened, decision="withdrawn", decided_at=house.stores.database.now())
        house.project(house.stores.database.approvals["default", opened].run, Projection(close_approval=closed), seq=2)
        assert house.client("approver").post(path, json={}).json()["code"] == "approval-closed"
