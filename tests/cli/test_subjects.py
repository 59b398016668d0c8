"""`erase erasures retention run --subject result` against the real gateway."""

import json

import pytest

from cli.exit_codes import ExitCode
from tests.cli.command_line import CommandLine

NAME = "Ada Byron King"


def ended(standfast: CommandLine) -> str:
    """Start a run for a data subject from the command line, and end it well."""
    started = standfast("run", "delay-claim", "--input", '{"claim": {"id": "c"}}', "--subject", NAME)
    assert started.exit_code == ExitCode.OK, started.output
    run = started.stdout.strip()
    standfast.live.house.succeed(run, {"paid": NAME})
    return run


class TestErase:
    def test_shows_what_would_go_and_changes_nothing(self, standfast: CommandLine) -> None:
        run = ended(standfast)
        shown = standfast("erase", NAME, "--dry-run")
        assert (shown.exit_code, run in shown.stdout, "nothing was changed" in shown.stdout) == (ExitCode.OK, True, True)
        assert standfast("result", run).exit_code == ExitCode.OK

    def test_erases_and_says_so_to_whoever_reads(self, standfast: CommandLine) -> None:
        run = ended(standfast)
        done = standfast("erase", NAME, "--confirm")
        assert done.exit_code == ExitCode.OK, done.output
        assert "gateway:subject:erased" in done.stdout
        gone = standfast("result", run)
        assert (gone.exit_code, "erased, HTTP 410" in gone.stderr) == (ExitCode.NOT_FOUND, True)
        assert "erased 2026" in standfast("runs", run).stdout
        (listed,) = json.loads(standfast("erasures", "--json").stdout)
        assert listed["erasure"] in standfast("erasures", listed["erasure"]).stdout

    @pytest.mark.parametrize("words", [(), ("--dry-run", "--confirm")])
    def test_does_not_guess_whether_it_is_meant(self, standfast: CommandLine, words: tuple[str, ...]) -> None:
        ended(standfast)
        refused = standfast("erase", NAME, *words)
        assert (refused.exit_code, "--confirm" in refused.stderr) == (ExitCode.USAGE, True)

    def test_is_refused_to_others_than_administrators(self, standfast: CommandLine) -> None:
        ended(standfast)
        refused = standfast("erase", NAME, "--confirm", "--role", "operator")
        assert (refused.exit_code, "forbidden" in refused.stderr) == (ExitCode.REFUSED, True)


class TestRetention:
    def test_sets_shows_and_removes_rules(self, standfast: CommandLine) -> None:
        assert "content is kept for ever" in standfast("retention").output
        assert standfast("retention", "set", "--days", "30").exit_code == ExitCode.OK
        assert "30" in standfast("retention").stdout
        assert standfast("retention", "set", "--forever").exit_code == ExitCode.OK
        assert standfast("retention", "set").exit_code == ExitCode.USAGE

    def test_purges_nothing_inside_the_term(self, standfast: CommandLine) -> None:
        run = ended(standfast)
        standfast("retention", "set", "--days", "30")
        refused = standfast("retention", "purge", "--run", run, "--confirm")
        assert (refused.exit_code, "inside-term" in refused.stderr) == (ExitCode.REFUSED, True)
        assert "nothing is over its term" in standfast("retention", "purge", "--confirm").output
        standfast.live.house.stores.database.pass_time(seconds=31 * 86400)
        assert run in standfast("retention", "purge", "--dry-run").stdout
        assert "purge" in standfast("retention", "purge", "--confirm").stdout

    def test_holds_and_releases(self, standfast: CommandLine) -> None:
        ended(standfast)
        hold = standfast("retention", "hold", "subject", NAME, "--reason", "a suit").stdout.strip()
        refused = standfast("erase", NAME, "--confirm")
        assert (refused.exit_code, hold in refused.stderr) == (ExitCode.REFUSED, True)
        assert "a suit" in standfast("retention").stdout
        assert standfast("retention", "release", hold).exit_code == ExitCode.OK
        assert standfast("erase", NAME, "--confirm").exit_code == ExitCode.OK
