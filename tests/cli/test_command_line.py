"""What every command shares: global options anywhere, errors as sentences with codes, completion, quick starts."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.exit_codes import MEANINGS, ExitCode, exit_code_of
from cli.group import hoist
from cli.main import app
from cli.screen import clean
from cli.tables import paint
from standfast_client import StandfastError, errors
from tests.cli.command_line import CommandLine, in_process

COMMANDS = [
    "demo",
    "dev",
    "worker",
    "gateway",
    "migrate",
    "register",
    "run",
    "runs",
    "cancel",
    "approvals",
    "approve",
    "reject",
    "tasks",
    "trace",
    "verify",
    "validate",
    "doctor",
]


class TestGlobalOptions:
    def test_may_stand_behind_the_command(self, standfast: CommandLine) -> None:
        live = standfast.live
        done = CliRunner().invoke(app, ["runs", "--url", live.url, f"--key={live.house.keys['viewer']}"])
        assert done.exit_code == ExitCode.OK, done.output

    def test_stay_where_they_are_after_two_dashes(self) -> None:
        assert hoist(["run", "a", "--", "--url", "x"]) == ["run", "a", "--", "--url", "x"]
        assert hoist(["run", "a", "--url", "x", "-i", "{}"]) == ["--url", "x", "run", "a", "-i", "{}"]

    def test_refuse_a_key_that_is_none(self, standfast: CommandLine) -> None:
        done = standfast("runs", "--key", "nonsense")
        assert (done.exit_code, "unauthenticated" in done.stderr) == (ExitCode.REFUSED, True)


class TestErrors:
    def test_nothing_listens(self, tmp_path: Path) -> None:
        done = in_process("runs", "--url", "http://127.0.0.1:9", "--key", "k", folder=tmp_path)
        assert done.returncode == ExitCode.UNAVAILABLE
        assert "no gateway listens at http://127.0.0.1:9" in done.stderr
        assert "standfast dev" in done.stderr

    def test_nothing_is_known(self, tmp_path: Path) -> None:
        done = in_process("runs", folder=tmp_path)
        assert (done.returncode, "Traceback" in done.stderr) == (ExitCode.USAGE, False)
        assert "STANDFAST_URL" in done.stderr

    @pytest.mark.parametrize("arguments", [["fly"], ["runs", "--fly"], ["verify"]])
    def test_the_command_line_is_wrong(self, arguments: list[str]) -> None:
        assert CliRunner().invoke(app, arguments).exit_code == ExitCode.USAGE

    def test_every_error_of_the_client_has_a_code_other_than_success(self) -> None:
        kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, StandfastError)]
        assert len(kinds) > 10
        for kind in kinds:
            assert exit_code_of(kind.__new__(kind)) is not ExitCode.OK

    def test_every_code_has_a_meaning(self) -> None:
        assert set(MEANINGS) == set(ExitCode)


class TestCommands:
    def test_are_all_there_with_help(self) -> None:
        runner = CliRunner()
        listed = runner.invoke(app, ["--help"]).stdout
        for command in COMMANDS:
            assert f"  {command} " in listed
            shown = runner.invoke(app, [command, "--help"])
            assert (shown.exit_code, "Raises" in shown.stdout) == (0, False)

    def test_complete_in_the_shell(self, tmp_path: Path) -> None:
        done = in_process(folder=tmp_path, _STANDFAST_COMPLETE="complete_bash", COMP_WORDS="standfast ru", COMP_CWORD="1")
        assert done.stdout.split() == ["run", "runs"]

    def test_remote_ones_load_neither_wiring_nor_the_parts_nor_rich(self, tmp_path: Path) -> None:
        done = in_process("runs", folder=tmp_path, PYTHONPROFILEIMPORTTIME="1")
        loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
        assert {"cli.commands.runs", "httpx2"} <= loaded
        assert not loaded & {"wiring", "api", "domain", "temporalio", "fastapi", "rich", "psycopg"}


class TestScreen:
    def test_lets_no_text_command_the_terminal(self) -> None:
        assert clean("a\x1b[2Jb\x9bc\nd") == "a\N{REPLACEMENT CHARACTER}[2Jb\N{REPLACEMENT CHARACTER}c d"

    def test_paints_tables_for_people(self, capsys: pytest.CaptureFixture[str]) -> None:
        paint(("A", "STATUS"), [("[bold]x", "failed")])
        painted = capsys.readouterr().out
        assert "[bold]x" in painted
        assert "┃" in painted
