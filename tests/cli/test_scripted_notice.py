"""What a scripted model wrote is never taken for an AI's: every view that shows it says so."""

import json

import pytest

from cli.views import SCRIPTED_NOTICE
from tests.cli.command_line import CommandLine
from tests.cli.test_runs import effect


def ended_run(standfast: CommandLine, model: str) -> str:
    """Return a run that ended well and whose last model was this one."""
    house = standfast.live.house
    run = house.start()
    house.succeed(run, {"verdict": "pay"})
    rows = house.stores.database.runs
    rows["default", run] = rows["default", run].model_copy(update={"model": model})
    house.stores.runs.effects["default", run] = [effect("review", "model").model_copy(update={"model": model})]
    return run


class TestOutputOfAModel:
    @pytest.mark.parametrize(("model", "marked"), [("scripted/claim-reviewer", True), ("anthropic/claude-sonnet-4-5", False)])
    def test_is_marked_when_the_model_is_scripted_and_only_then(self, standfast: CommandLine, model: str, *, marked: bool) -> None:
        run = ended_run(standfast, model)
        for command in (("trace", run), ("runs", run)):
            assert (f"{model} (scripted model)" in standfast(*command).stdout) is marked
        result = standfast("result", run)
        assert (SCRIPTED_NOTICE in result.stderr) is marked
        assert json.loads(result.stdout) == {"verdict": "pay"}

    def test_is_marked_when_the_start_waited_for_it(self, standfast: CommandLine) -> None:
        words = ("run", "delay-claim", "-i", '{"claim": {"id": "c-1"}}', "--idempotency-key", "k")
        run = standfast(*words).stdout.strip()
        house = standfast.live.house
        house.succeed(run, {"verdict": "pay"})
        rows = house.stores.database.runs
        rows["default", run] = rows["default", run].model_copy(update={"model": "scripted/claim-reviewer"})
        assert SCRIPTED_NOTICE in standfast(*words, "--wait").stderr
