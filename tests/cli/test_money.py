"""`budgets` and `costs` against the real gateway."""

import json

import pytest

from cli.exit_codes import ExitCode
from domain.budget import Unit
from tests.api.test_budgets import event
from tests.api.test_costs import settled
from tests.cli.command_line import CommandLine


class TestBudgets:
    def test_shows_what_was_set(self, standfast: CommandLine) -> None:
        done = standfast(
            "budgets", "set", "tenant", "default", "--usd", "25.00", "--soft-usd", "20", "--seconds", "90", "--period", "month"
        )
        assert done.exit_code == ExitCode.OK, done.output
        assert "$25.000000" in done.stdout
        standfast.live.house.stores.budgets.spend("default", "tenant", "", Unit.USD_MICROS, 1_000_000)
        listed = standfast("budgets").stdout
        assert "$24.000000" in listed
        assert "seconds" in listed

    def test_takes_one_limit_away_with_none(self, standfast: CommandLine) -> None:
        standfast("budgets", "set", "definition", "delay-claim", "--tokens", "100")
        done = standfast("budgets", "set", "definition", "delay-claim", "--tokens", "none", "--json")
        assert [one["hard"] for one in json.loads(done.stdout)] == [None]
        assert standfast("budgets", "clear", "definition", "delay-claim").exit_code == ExitCode.OK

    @pytest.mark.parametrize("options", [[], ["--usd", "a lot"], ["--usd", "0.0000001"], ["--tokens", "-1"]])
    def test_says_how_to_write_an_amount(self, standfast: CommandLine, options: list[str]) -> None:
        assert standfast("budgets", "set", "tenant", "default", *options).exit_code == ExitCode.USAGE

    def test_lists_passed_thresholds(self, standfast: CommandLine) -> None:
        run = standfast.live.house.start()
        standfast.live.house.stores.budgets.events_of["default"] = [event("a", run)]
        shown = standfast("budgets", "events").stdout
        assert "80 %" in shown
        assert run in shown


class TestCosts:
    def test_sums_up_and_bills(self, standfast: CommandLine) -> None:
        standfast.live.house.stores.costs.settled = [settled()]
        done = standfast("costs", "--by", "model")
        assert ("fake/model" in done.stdout, "$0.000030 in all" in done.stderr) == (True, True)
        assert standfast("costs", "--csv").stdout.startswith("key,calls")
        assert "$0.000030" in standfast("costs", "invoice", "2026-03").stderr
        assert "total" in standfast("costs", "invoice", "2026-03", "--csv").stdout

    def test_estimates_a_call_and_a_definition(self, standfast: CommandLine) -> None:
        done = standfast("costs", "estimate", "--model", "fake/model", "--max-output-tokens", "100")
        assert "for nine of ten" in done.stdout, done.output
        assert "broad defaults" in done.stdout
        assert standfast("costs", "estimate", "delay-claim", "--input", '{"claim": {"id": "c"}}').exit_code == ExitCode.OK
        assert standfast("costs", "estimate").exit_code == ExitCode.USAGE

    def test_shows_prices(self, standfast: CommandLine) -> None:
        assert "$2.000000" in standfast("costs", "prices", "fake/model").stdout
