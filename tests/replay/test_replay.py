"""Kept histories replay against the workflow as it is now; a changed workflow is caught."""

import pytest
from temporalio import workflow
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from domain.runs import Projection
from tests.replay.recorded import HISTORIES, load, names
from tests.replay.test_recording import BRANCHES
from workflows.couriers import Courier
from workflows.effects import EffectRunner
from workflows.messages import RUN_WORKFLOW, RunInput, RunResult
from workflows.people import People
from workflows.run import RunWorkflow

BYTES_MAX = 100 * 1024


class LazyCourier(Courier):
    """A changed courier: what was an activity before is none any more."""

    async def flush(self, projection: Projection, summary: str) -> None:
        """Flush nothing."""
        del projection, summary
        self.acknowledge(self._state.fact_seq)


@workflow.defn(name=RUN_WORKFLOW, sandboxed=False)
class ChangedRun(RunWorkflow):
    """The run workflow after a change that open runs do not survive."""

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        super().__init__(given)
        self._courier = LazyCourier(given, self.state)
        self._people = People(self._courier, self.state.decisions)
        self._effects = EffectRunner(given.program, self._courier, self._people)

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        """Run."""
        return await super().run(given)


def replayer(cls: type) -> Replayer:
    """Build a replayer of a workflow."""
    return Replayer(workflows=[cls], data_converter=pydantic_data_converter)


class TestKeptHistory:
    @pytest.mark.parametrize("name", names())
    async def test_replays(self, name: str) -> None:
        await replayer(RunWorkflow).replay_workflow(load(name))

    @pytest.mark.parametrize("name", names())
    async def test_catches_a_changed_workflow(self, name: str) -> None:
        with pytest.raises(workflow.NondeterminismError):
            await replayer(ChangedRun).replay_workflow(load(name))

    def test_there_is_one_of_every_branch(self) -> None:
        assert set(names()) >= set(BRANCHES)

    @pytest.mark.parametrize("name", names())
    def test_is_small_and_names_no_machine(self, name: str) -> None:
        text = (HISTORIES / f"{name}.json").read_text(encoding="utf-8")
        assert len(text) < BYTES_MAX
        assert "@" not in text
        assert "stackTrace" not in text
