"""Approvals, tasks and definitions through the client against the real gateway."""

from pathlib import Path

import pytest

from standfast_client import BundleError, ConflictError, ForbiddenError, InvalidInputError
from tests.api.gateway import CLAIM
from tests.clients.live_gateway import LiveGateway


class TestApprovals:
    def test_shows_what_will_run(self, live: LiveGateway) -> None:
        approval = live.house.open_approval(live.house.start())
        with live.client("approver") as client:
            listed = client.approvals.list(mine=True)
        assert [each.approval for each in listed] == [approval]
        assert listed[0].calls[0].arguments == {"amount": 250}

    def test_approves_by_id_with_the_digest_of_now(self, live: LiveGateway) -> None:
        approval = live.house.open_approval(live.house.start())
        with live.client("approver") as client:
            decision = client.approvals.approve(approval, comment="fine")
        assert (decision.state, decision.verdict, decision.approval) == ("accepted", "approve", approval)

    def test_rejects_what_was_read(self, live: LiveGateway) -> None:
        approval = live.house.open_approval(live.house.start())
        with live.client("approver") as client:
            decision = client.approvals.reject(client.approvals.get(approval))
        assert decision.verdict == "reject"

    def test_does_not_approve_another_digest(self, live: LiveGateway) -> None:
        approval = live.house.open_approval(live.house.start())
        with live.client("approver") as client, pytest.raises(InvalidInputError) as caught:
            client.approvals.approve(approval, digest="0" * 64)
        assert caught.value.code == "stale-digest"

    def test_is_refused_a_second_time(self, live: LiveGateway) -> None:
        approval = live.house.open_approval(live.house.start())
        with live.client("approver") as client:
            client.approvals.approve(approval)
            with pytest.raises(ConflictError) as caught:
                client.approvals.reject(approval)
        assert caught.value.code == "approval-closed"

    def test_is_refused_to_who_asked(self, live: LiveGateway) -> None:
        approval = live.house.open_approval(live.house.start("admin"))
        with live.client("admin") as client, pytest.raises(ForbiddenError):
            client.approvals.approve(approval)


class TestTasks:
    def test_completes_a_task_once(self, live: LiveGateway) -> None:
        task = live.house.open_task(live.house.start())
        with live.client("operator") as client:
            assert [each.task for each in client.tasks.list()] == [task]
            assert client.tasks.get(task).kind == "in_doubt"
            done = client.tasks.complete(task, "happened", output={"payment": "p-1"})
            assert (done.resolution, done.delivered) == ("happened", True)
            with pytest.raises(ConflictError):
                client.tasks.complete(task, "give_up")


class TestDefinitions:
    def test_registers_a_folder(self, live: LiveGateway, tmp_path: Path) -> None:
        (tmp_path / "claim.yaml").write_text(CLAIM.replace("1.0.0", "1.1.0"), encoding="utf-8")
        (tmp_path / "notes.bin").write_bytes(b"\xff")
        with live.client("developer") as client:
            assert [each.version for each in client.definitions.register(tmp_path)] == ["1.1.0"]
            assert {each.version for each in client.definitions.list()} == {"1.0.0", "1.1.0"}
            assert client.definitions.get("delay-claim").version == "1.1.0"
            assert client.definitions.get("delay-claim", "~1.0").input_schema["required"] == ["claim"]

    def test_says_where_the_mistakes_are(self, live: LiveGateway) -> None:
        with live.client("developer") as client, pytest.raises(InvalidInputError) as caught:
            client.definitions.register({"claim.yaml": CLAIM.replace("call:", "cal:")})
        assert caught.value.code == "invalid-definition"
        assert caught.value.errors[0].where.startswith("claim.yaml:")
        assert str(caught.value).count(caught.value.errors[0].detail) == 1

    @pytest.mark.parametrize(("name", "content"), [("a.yaml", b"\xff\xfe"), ("picture.png", b"x")])
    def test_refuses_a_folder_that_is_no_bundle(self, live: LiveGateway, tmp_path: Path, name: str, content: bytes) -> None:
        (tmp_path / name).write_bytes(content)
        with live.client("developer") as client, pytest.raises(BundleError, match=str(tmp_path)):
            client.definitions.register(tmp_path)

    async def test_registers_asynchronously(self, live: LiveGateway) -> None:
        async with live.async_client("developer") as client:
            listed = await client.definitions.register({"claim.yaml": CLAIM})
        assert listed[0].name == "delay-claim"


class TestSaying:
    def test_amends_asks_and_withdraws(self, live: LiveGateway) -> None:
        approval = live.house.open_approval(live.house.start())
        with live.client("approver") as client:
            asked = client.approvals.say(approval, "request_info", comment="whose?")
            amended = client.approvals.say(approval, "amend", content={"arguments": {"settle.pay": {"amount": 60}}})
        assert ((asked.verdict, asked.ending), amended.state) == (("request_info", None), "accepted")
        with live.client("operator") as client:
            assert client.approvals.say(approval, "withdraw").ending == "withdrawn"

    def test_decides_many_each_by_itself(self, live: LiveGateway) -> None:
        opened = [live.house.open_approval(live.house.start()) for _ in range(2)]
        with live.client("approver") as client:
            first, second = (client.approvals.get(approval) for approval in opened)
            client.approvals.reject(second)
            answers = client.approvals.decide_many([(first, "approve"), (second, "approve")])
        assert [(each.approval, each.status, each.code) for each in answers] == [
            (opened[0], 200, None),
            (opened[1], 409, "approval-closed"),
        ]
