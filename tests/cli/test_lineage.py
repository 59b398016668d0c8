"""`runs redrive fork compare` against the real gateway, and what a run's page says of what was asked of it."""

import json
from pathlib import Path

import pytest

from cli.exit_codes import ExitCode
from tests.api.test_lineage import failed_run
from tests.cli.command_line import CommandLine


@pytest.fixture(name="failed")
def _failed(standfast: CommandLine) -> str:
    return failed_run(standfast.live.house)


class TestRedrive:
    def test_says_where_the_run_goes_on(self, standfast: CommandLine, failed: str) -> None:
        done = standfast("runs", "redrive", failed, "--reason", "the bank is back")
        assert (done.exit_code, done.stdout) == (ExitCode.OK, f"{failed}: goes on at second in epoch 2; 1 step keeps what it did\n")
        assert f"standfast result {failed}" in done.stderr

    def test_writes_json_when_asked(self, standfast: CommandLine, failed: str) -> None:
        said = json.loads(standfast("runs", "redrive", failed, "--json").stdout)
        assert said == {"run": failed, "status": "running", "epoch": 2, "step": "second", "kept": 1}

    def test_of_an_open_run_says_why_not(self, standfast: CommandLine) -> None:
        done = standfast("runs", "redrive", standfast.live.house.start())
        assert (done.exit_code, "not-redrivable" in done.stderr) == (ExitCode.REFUSED, True)

    def test_is_refused_to_a_viewer(self, standfast: CommandLine, failed: str) -> None:
        assert standfast("runs", "redrive", failed, "--role", "viewer").exit_code == ExitCode.REFUSED


class TestFork:
    def test_writes_the_new_run_alone_to_standard_output(self, standfast: CommandLine, failed: str) -> None:
        done = standfast("runs", "fork", failed, "--at", "second")
        child = done.stdout.strip()
        assert (done.exit_code, child in standfast.live.house.temporal.started, child != failed) == (ExitCode.OK, True, True)
        assert f"standfast runs compare {failed} {child}" in done.stderr

    def test_reads_arguments_and_config_from_files_and_as_json(self, standfast: CommandLine, failed: str, tmp_path: Path) -> None:
        (tmp_path / "arguments.json").write_text('{"of": "other"}', encoding="utf-8")
        done = standfast(
            "runs", "fork", failed, "--at", "second", "--arguments", str(tmp_path / "arguments.json"), "--config", '{"limit": 7}'
        )
        assert done.exit_code == ExitCode.OK, done.output
        program = standfast.live.house.temporal.started[done.stdout.strip()].program
        assert (program.steps[1].model_dump()["arguments"], program.config["limit"]) == ({"of": "other"}, 7)

    @pytest.mark.parametrize(
        ("given", "said"),
        [("{", "line 1, column 2"), ("nowhere.json", "there is no file 'nowhere.json'"), ("[1]", "a JSON object such as")],
    )
    def test_says_where_arguments_are_wrong(self, standfast: CommandLine, failed: str, given: str, said: str) -> None:
        done = standfast("runs", "fork", failed, "--at", "second", "--arguments", given)
        assert (done.exit_code, said in done.stderr.replace("\n", " "), "--arguments" in done.stderr) == (ExitCode.USAGE, True, True)

    def test_says_which_steps_there_are(self, standfast: CommandLine, failed: str) -> None:
        done = standfast("runs", "fork", failed, "--at", "third")
        assert (done.exit_code, "the steps are first, second" in done.stderr.replace("\n", " ")) == (ExitCode.REFUSED, True)

    def test_with_the_same_key_is_the_same_run(self, standfast: CommandLine, failed: str) -> None:
        asked = ("runs", "fork", failed, "--at", "second", "--idempotency-key", "k", "--json")
        assert json.loads(standfast(*asked).stdout) == json.loads(standfast(*asked).stdout)

    def test_allows_effects_only_to_operators(self, standfast: CommandLine, failed: str) -> None:
        asked = ("runs", "fork", failed, "--at", "second", "--allow-effects")
        assert standfast(*asked, "--role", "developer").exit_code == ExitCode.REFUSED
        child = standfast(*asked, "--role", "operator").stdout.strip()
        assert f"{failed} at second, effects allowed" in standfast("runs", child).stdout


class TestCompare:
    def test_shows_a_line_for_each_run_and_step(self, standfast: CommandLine, failed: str) -> None:
        child = standfast("runs", "fork", failed, "--at", "second").stdout.strip()
        lines = standfast("runs", "compare", failed, child).stdout.splitlines()
        assert lines[0] == f"{child} is a fork of {failed} at second, with effects simulated"
        assert lines[1].startswith(f"a  {failed}  failed")
        assert lines[1].endswith("tool-failed")
        assert lines[2].startswith(f"b  {child}  accepted")
        assert lines[3].strip() == "outcome differs, ±0 tokens, +$0.000000"

    def test_writes_json_when_asked(self, standfast: CommandLine, failed: str) -> None:
        said = json.loads(standfast("runs", "compare", failed, failed, "--json").stdout)
        assert (said["same_outcome"], said["a"]["run"]) == (True, failed)

    def test_does_not_find_an_unknown_run(self, standfast: CommandLine, failed: str) -> None:
        assert standfast("runs", "compare", failed, "run_" + "0" * 26).exit_code == ExitCode.NOT_FOUND


class TestRunPage:
    def test_says_who_asked_for_what_and_why(self, standfast: CommandLine, failed: str) -> None:
        standfast("runs", "redrive", failed, "--reason", "the bank is back")
        standfast("cancel", failed, "--reason", "duplicate claim")
        shown = standfast("runs", failed).stdout
        assert ("redrive asked" in shown, ": the bank is back" in shown, "cancel asked" in shown, ": duplicate claim" in shown) == (
            True,
        ) * 4
        requests = json.loads(standfast("runs", failed, "--json").stdout)["requests"]
        assert [(each["what"], each["reason"]) for each in requests] == [("redrive", "the bank is back"), ("cancel", "duplicate claim")]
