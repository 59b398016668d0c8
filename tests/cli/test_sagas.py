"""`sagas` and `compensate` against the real gateway."""

import json

from cli.exit_codes import ExitCode
from tests.api.test_sagas import settling_run
from tests.cli.command_line import CommandLine


class TestSagas:
    def test_shows_a_row_for_each_saga_and_step(self, standfast: CommandLine) -> None:
        done = standfast("sagas", settling_run(standfast.live.house))
        assert done.exit_code == ExitCode.OK
        assert all(word in done.stdout for word in ("s (parallel)", "running", "s.a", "done", "bank.pay"))

    def test_writes_json_when_asked(self, standfast: CommandLine) -> None:
        said = json.loads(standfast("sagas", settling_run(standfast.live.house), "--json").stdout)
        assert [step["state"] for step in said["sagas"][0]["steps"]] == ["done", "running"]

    def test_says_when_there_are_none(self, standfast: CommandLine) -> None:
        assert "has no sagas" in standfast("sagas", standfast.live.house.start()).output


class TestCompensate:
    def test_asks_the_run(self, standfast: CommandLine) -> None:
        run = settling_run(standfast.live.house)
        done = standfast("compensate", run, "--reason", "wrong customer")
        assert (done.exit_code, done.stdout) == (ExitCode.OK, f"{run}: asked to undo what its open sagas did\n")
        assert standfast.live.house.temporal.compensated == [run]

    def test_is_refused_to_a_viewer(self, standfast: CommandLine) -> None:
        assert standfast("compensate", settling_run(standfast.live.house), "--role", "viewer").exit_code == ExitCode.REFUSED
