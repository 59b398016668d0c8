"""`approvals approve reject tasks register definitions` against the real gateway."""

import json
from pathlib import Path

from cli.exit_codes import ExitCode
from tests.api.gateway import CLAIM
from tests.cli.command_line import CommandLine


class TestApprove:
    def test_takes_the_run_and_says_what_was_approved(self, standfast: CommandLine) -> None:
        run = standfast.live.house.start()
        approval = standfast.live.house.open_approval(run)
        done = standfast("approve", run, "-m", "fine")
        assert done.exit_code == ExitCode.OK, done.output
        assert 'settle.pay: bank.pay {"amount": 250}' in done.stdout
        assert standfast.live.house.temporal.approvals[approval].decision == "approve"

    def test_rejects_by_the_approvals_id(self, standfast: CommandLine) -> None:
        approval = standfast.live.house.open_approval(standfast.live.house.start())
        assert standfast("reject", approval, "--json").exit_code == ExitCode.OK
        assert standfast.live.house.temporal.approvals[approval].decision == "reject"

    def test_decides_as_the_named_role(self, standfast: CommandLine) -> None:
        approval = standfast.live.house.open_approval(standfast.live.house.start())
        refused = standfast("approve", approval, "--role", "viewer")
        assert (refused.exit_code, "forbidden" in refused.stderr) == (ExitCode.REFUSED, True)

    def test_does_not_decide_what_has_changed(self, standfast: CommandLine) -> None:
        approval = standfast.live.house.open_approval(standfast.live.house.start())
        done = standfast("approve", approval, "--digest", "0" * 64)
        assert (done.exit_code, "stale-digest" in done.stderr) == (ExitCode.REFUSED, True)

    def test_says_that_a_run_waits_for_nothing(self, standfast: CommandLine) -> None:
        done = standfast("approve", standfast.live.house.start())
        assert (done.exit_code, "waits for no approval" in done.stderr) == (ExitCode.NOT_FOUND, True)

    def test_asks_which_of_several(self, standfast: CommandLine) -> None:
        run = standfast.live.house.start()
        first = standfast.live.house.open_approval(run)
        standfast.live.house.temporal.approvals.pop(first)
        second = standfast.live.house.open_approval(run)
        done = standfast("approve", run)
        assert done.exit_code == ExitCode.REFUSED
        assert first in done.stderr
        assert second in done.stderr

    def test_is_refused_a_second_time(self, standfast: CommandLine) -> None:
        approval = standfast.live.house.open_approval(standfast.live.house.start())
        standfast("approve", approval)
        done = standfast("approve", approval)
        assert (done.exit_code, "approval-closed" in done.stderr) == (ExitCode.REFUSED, True)


class TestApprovals:
    def test_lists_the_inbox_and_shows_one(self, standfast: CommandLine) -> None:
        run = standfast.live.house.start()
        approval = standfast.live.house.open_approval(run)
        assert approval in standfast("approvals").stdout
        shown = standfast("approvals", run).stdout
        assert standfast.live.house.temporal.approvals[approval].digest in shown
        assert json.loads(standfast("approvals", "--state", "approved", "--json").stdout) == []

    def test_says_that_the_inbox_is_empty(self, standfast: CommandLine) -> None:
        done = standfast("approvals")
        assert (done.stdout, done.stderr) == ("", "no approvals\n")


class TestTasks:
    def test_lists_shows_and_completes(self, standfast: CommandLine) -> None:
        task = standfast.live.house.open_task(standfast.live.house.start())
        assert task in standfast("tasks").stdout
        assert "The worker was lost." in standfast("tasks", "show", task).stdout
        done = standfast("tasks", "complete", task, "--resolution", "happened", "--output", '{"payment": "p-1"}')
        assert (done.exit_code, "happened; the run was told" in done.stdout) == (ExitCode.OK, True)

    def test_takes_an_output_only_for_what_happened(self, standfast: CommandLine) -> None:
        task = standfast.live.house.open_task(standfast.live.house.start())
        assert standfast("tasks", "complete", task, "--resolution", "give_up", "--output", "{}").exit_code == ExitCode.USAGE
        assert standfast("tasks", "complete", task, "--resolution", "maybe").exit_code == ExitCode.USAGE


class TestRegister:
    def test_registers_a_folder(self, standfast: CommandLine, tmp_path: Path) -> None:
        folder = tmp_path / "bundle"
        folder.mkdir()
        (folder / "claim.yaml").write_text(CLAIM.replace("1.0.0", "1.1.0"), encoding="utf-8")
        assert "1.1.0" in standfast("register", str(folder)).stdout
        assert standfast("definitions").stdout.count("delay-claim") == 2

    def test_shows_each_mistake_with_its_place(self, standfast: CommandLine, tmp_path: Path) -> None:
        path = tmp_path / "claim.yaml"
        path.write_text(CLAIM.replace("call:", "cal:"), encoding="utf-8")
        done = standfast("register", str(path))
        assert (done.exit_code, "claim.yaml:20:" in done.stderr) == (ExitCode.REFUSED, True)

    def test_refuses_a_folder_that_is_not_there(self, standfast: CommandLine) -> None:
        assert standfast("register", "nowhere").exit_code == ExitCode.USAGE


class TestReview:
    def test_amends_an_argument(self, standfast: CommandLine) -> None:
        run = standfast.live.house.start()
        approval = standfast.live.house.open_approval(run)
        done = standfast("review", "amend", run, "--set", "settle.pay.amount=60", "-m", "too much")
        assert done.exit_code == ExitCode.OK, done.output
        [event] = standfast.live.house.temporal.approvals[approval].events
        [decision] = standfast.live.house.temporal.decisions.values()
        assert (event.verdict, decision.said.arguments) == ("amend", {"settle.pay": {"amount": 60}})

    def test_says_how_to_write_a_change(self, standfast: CommandLine) -> None:
        run = standfast.live.house.start()
        standfast.live.house.open_approval(run)
        done = standfast("review", "amend", run, "--set", "amount=60")
        assert (done.exit_code, "write step.name=value" in done.stderr) == (ExitCode.REFUSED, True)

    def test_asks_answers_delegates_extends_and_withdraws(self, standfast: CommandLine) -> None:
        approval = standfast.live.house.open_approval(standfast.live.house.start())
        said = [
            ("ask", "whose is it?"),
            ("answer", "Ada's"),
            ("delegate", "prn_other"),
            ("extend", "2036-03-02T17:00:00+01:00"),
            ("withdraw",),
        ]
        for verdict, *more in said:
            assert standfast("review", verdict, approval, *more).exit_code == ExitCode.OK
        events = standfast.live.house.temporal.approvals[approval].events
        assert [event.verdict for event in events] == ["request_info", "give_info", "delegate", "extend", "withdraw"]
