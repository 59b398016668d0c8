"""What a run of scenarios says at its end: the part of a long log that is read first, and the only one where a log is cut."""

import argparse
from pathlib import Path

import pytest

from tests.faults.__main__ import run_all
from tests.faults.harness.report import Finding, Order
from tests.faults.scenarios import SCENARIOS


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> argparse.Namespace:
    """Return the order of two scenarios: the first finds a violation, the second finds nothing."""

    async def wrong(order: Order) -> Finding:
        return Finding(n=order.seed, violations=["key 1 took effect 2 times"])

    async def right(order: Order) -> Finding:
        return Finding(n=order.seed)

    monkeypatch.setitem(SCENARIOS, "S1", wrong)
    monkeypatch.setitem(SCENARIOS, "S2", right)
    return argparse.Namespace(scenario="S1,S2", scale="smoke", seed=7, plant=None, report=None)


class TestEnd:
    def test_repeats_the_scenarios_that_failed_and_no_other(
        self, chosen: argparse.Namespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert not run_all(chosen, tmp_path)
        end = capsys.readouterr().out.partition("NOT all passed")[2]
        assert "S1 FAIL" in end
        assert "key 1 took effect 2 times" in end
        assert "S2" not in end

    def test_is_one_line_when_all_passed(self, chosen: argparse.Namespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        chosen.scenario = "S2"
        assert run_all(chosen, tmp_path)
        assert capsys.readouterr().out.endswith("\nall passed\n")
