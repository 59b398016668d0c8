"""Histories of hand-written workflows with agents: each pattern runs live and is replayed at once; kept ones replay as the code is now."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import JsonValue
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from adapters.definitions.agent_reader import YamlAgentReader
from adapters.models.scripted import ScriptedProvider
from examples.agent_blocks.play import BUNDLE, NAMES, SCRIPT
from examples.agent_blocks.workflows import WORKFLOWS
from standfast_client.bundle import read_bundle
from standfast_sdk import RunTicket
from tests.replay.recorded import HISTORIES
from tests.replay.test_recording import keep
from tests.workflows.agent_bench import Cast, actor, approve, calls, playing, ticket
from tests.workflows.bench import Bench, LiveRun, ScriptedTool
from tests.workflows.test_code_agents import NOTES, Long, notes

pytestmark = pytest.mark.asyncio(loop_scope="session")

FOLDER = HISTORIES / "agents"
CARRIED = "carried"
"""The last execution of a run that went on in new ones."""


@workflow.defn(name="Long", sandboxed=False)
class HastyLong(Long):
    """A changed workflow: it waits before it begins, as no run before did."""

    @workflow.run
    async def run(self, ticket: RunTicket) -> list[JsonValue]:
        """Wait, then run."""
        await workflow.sleep(timedelta(seconds=1))
        return await super().run(ticket)


def replayer(long: type = Long) -> Replayer:
    """Build a replayer of all workflows that have a history here.

    It runs no sandbox: that imports the workflows anew within the first activation, which on a loaded machine takes longer than the two
    seconds after which a replayer, unlike a worker, gives up for good.
    """
    return Replayer(workflows=[*WORKFLOWS, long], data_converter=pydantic_data_converter, workflow_runner=UnsandboxedWorkflowRunner())


def load(name: str) -> WorkflowHistory:
    """Read a kept history."""
    return WorkflowHistory.from_json(f"run_{name}", (FOLDER / f"{name}.json").read_text(encoding="utf-8"))


async def recorded(path: Path, history: WorkflowHistory) -> None:
    """Replay a history, and keep it if there is none."""
    await replayer().replay_workflow(history)
    if not path.exists():
        FOLDER.mkdir(exist_ok=True)
        keep(path, history)


async def test_each_pattern_replays_as_it_ran(bench: Bench) -> None:
    manifests, problems = YamlAgentReader().read_agents(read_bundle(BUNDLE), tools=[], prompts=[])
    assert not problems
    await approve(bench, *manifests)
    provider = ScriptedProvider({"blocks": SCRIPT})
    async with bench.worker(workflows=WORKFLOWS, provider=provider):  # pyright: ignore[reportArgumentType] - it is a provider
        for name in NAMES:
            given = ticket(bench)
            handle = await bench.real_time.start_workflow(f"examples.{name}", given, id=given.run, task_queue=bench.queue)
            await handle.result()
            await recorded(FOLDER / f"{name}.json", await handle.fetch_history())


async def test_an_execution_that_took_over_replays_as_it_ran(bench: Bench) -> None:
    await approve(bench, actor("solo", tools=("notes.read",)))
    cast = Cast(solo=[*[calls(NOTES)] * 5, "one", *[calls(NOTES)] * 5, "two"])
    tools: list[ScriptedTool] = [notes(), ScriptedTool("bank.pay", {"paid": 1})]
    async with playing(bench, (Long, Long.run), cast, tools=tools, history_max=40) as run:
        assert isinstance(run, LiveRun)
        await run.handle.result()
        history = await run.handle.fetch_history()
    assert history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
    await recorded(FOLDER / f"{CARRIED}.json", history)


class TestKeptHistory:
    @pytest.mark.parametrize("name", [*NAMES, CARRIED])
    async def test_replays(self, name: str) -> None:
        await replayer().replay_workflow(load(name))

    async def test_catches_a_changed_workflow(self) -> None:
        with pytest.raises(workflow.NondeterminismError):
            await replayer(HastyLong).replay_workflow(load(CARRIED))
