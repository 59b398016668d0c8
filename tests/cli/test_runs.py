"""`run runs result cancel trace verify` against the real gateway."""

import json
from pathlib import Path

import pytest

from cli.exit_codes import ExitCode
from domain.effects import EffectState
from domain.runs import Projection, RunStatus
from domain.stores import EffectRow
from tests.cli.command_line import CommandLine

CLAIM = '{"claim": {"id": "c-1"}}'


class TestRun:
    def test_writes_the_id_alone_to_standard_output(self, standfast: CommandLine) -> None:
        done = standfast("run", "delay-claim", "--input", CLAIM)
        assert done.exit_code == ExitCode.OK, done.output
        assert done.stdout.strip() in {run for _, run in standfast.live.house.stores.database.runs}
        assert "standfast result" in done.stderr

    def test_reads_input_from_a_file_and_from_standard_input(self, standfast: CommandLine, tmp_path: Path) -> None:
        (tmp_path / "claim.json").write_text(CLAIM, encoding="utf-8")
        assert standfast("run", "delay-claim", "-i", str(tmp_path / "claim.json")).exit_code == ExitCode.OK
        assert standfast("run", "delay-claim", "-i", "-", given=CLAIM).exit_code == ExitCode.OK

    def test_shows_progress_and_the_result_when_asked_to_wait(self, standfast: CommandLine) -> None:
        started = standfast("run", "delay-claim", "-i", CLAIM, "--idempotency-key", "k").stdout.strip()
        standfast.live.house.succeed(started, {"paid": 250})
        done = standfast("run", "delay-claim", "-i", CLAIM, "--idempotency-key", "k", "--wait")
        assert json.loads(done.stdout) == {"paid": 250}
        assert done.stderr.split() == [started, "succeeded"]

    def test_ends_with_its_own_codes_when_the_run_fails_or_takes_long(self, standfast: CommandLine) -> None:
        run = standfast("run", "delay-claim", "-i", CLAIM).stdout.strip()
        late = standfast("result", run, "--timeout", "0")
        standfast.live.house.project(run, Projection(status=RunStatus.FAILED, error={"code": "tool-failed", "detail": "the bank said no"}))
        failed = standfast("result", run)
        assert (late.exit_code, failed.exit_code) == (ExitCode.WAIT_TIMED_OUT, ExitCode.RUN_FAILED)
        assert "the bank said no" in failed.stderr

    @pytest.mark.parametrize(
        ("given", "said"),
        [("{", "line 1, column 2"), ("nowhere.json", "there is no file 'nowhere.json'"), ('{"claim": {"id": 7}}', "/claim/id: 7 is not")],
    )
    def test_says_where_bad_input_is_wrong(self, standfast: CommandLine, given: str, said: str) -> None:
        done = standfast("run", "delay-claim", "-i", given)
        assert done.exit_code in (ExitCode.USAGE, ExitCode.REFUSED)
        assert said in done.stderr.replace("\n", " ")


class TestRuns:
    def test_lists_as_plain_columns_when_nobody_reads(self, standfast: CommandLine) -> None:
        run = standfast.live.house.start()
        done = standfast("runs")
        heading, line = done.stdout.splitlines()
        assert heading.split()[:3] == ["RUN", "DEFINITION", "STATUS"]
        assert line.split()[:4] == [run, "delay-claim", "1.0.0", "accepted"]

    def test_writes_json_when_asked(self, standfast: CommandLine) -> None:
        run = standfast.live.house.start()
        assert [each["run"] for each in json.loads(standfast("runs", "--json").stdout)] == [run]
        assert json.loads(standfast("runs", run, "--json").stdout)["status"] == "accepted"
        assert json.loads(standfast("runs", "--status", "failed", "--json").stdout) == []

    def test_shows_one_run(self, standfast: CommandLine) -> None:
        run = standfast.live.house.start()
        assert run in standfast("runs", run).stdout

    def test_does_not_find_an_unknown_run(self, standfast: CommandLine) -> None:
        done = standfast("runs", "run_" + "0" * 26)
        assert done.exit_code == ExitCode.NOT_FOUND
        assert "not-found, HTTP 404, correlation id" in done.stderr

    def test_cancels(self, standfast: CommandLine) -> None:
        run = standfast.live.house.start()
        assert standfast("cancel", run, "--reason", "a test").exit_code == ExitCode.OK
        assert standfast.live.house.temporal.cancelled == [run]


class TestTrace:
    def test_draws_steps_and_effects(self, standfast: CommandLine) -> None:
        run = standfast.live.house.start()
        standfast.live.house.stores.runs.effects["default", run] = [effect("review", "model \x1b[31mred"), effect("settle.pay", "bank.pay")]
        lines = standfast("trace", run).stdout.splitlines()
        assert lines[0].startswith(run)
        assert lines[1] == "├─ review"
        assert lines[2] == "│  └─ model \N{REPLACEMENT CHARACTER}[31mred  done  1500 ms"
        assert lines[3:] == ["└─ settle.pay", "   └─ bank.pay  done  1500 ms"]


class TestVerify:
    def test_says_that_a_ledger_holds(self, standfast: CommandLine) -> None:
        run = standfast.live.house.start()
        done = standfast("verify", run)
        assert (done.exit_code, done.stdout[:23]) == (ExitCode.OK, "verified: 1 entries of ")

    def test_names_the_first_wrong_entry(self, standfast: CommandLine) -> None:
        run = standfast.live.house.start()
        rows = standfast.live.house.stores.database.entries["default", run]
        rows[0] = rows[0].model_copy(update={"principal": "prn_forged"})
        done = standfast("verify", run)
        assert done.exit_code == ExitCode.NOT_VERIFIED
        assert f"NOT VERIFIED: entry 1 of {run} is wrong" in done.stdout
        assert "prn_forged" in done.stdout
        assert json.loads(standfast("verify", run, "--json").stdout)["broken"]["seq"] == 1


def effect(step: str, subject: str) -> EffectRow:
    """Return an effect that took one and a half seconds."""
    return EffectRow(
        step=step,
        visit=1,
        call="",
        subject=subject,
        effect_class="read",
        state=EffectState.DONE,
        attempt=1,
        started_at="2026-01-01T00:00:00.000000Z",
        ended_at="2026-01-01T00:00:01.500000Z",
        input_tokens=0,
        output_tokens=0,
        cost_usd_micros=0,
        model=None,
        error=None,
    )
