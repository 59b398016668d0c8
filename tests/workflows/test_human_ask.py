"""An agent asks a person, on the real stack: the question is a human task, and the answer goes to the model."""

import json

import pytest
from pydantic import JsonValue

from domain.agent_questions import HUMAN_ASK
from domain.completion import TaskCompletion
from domain.effects import EffectClass
from domain.runs import RunStatus
from tests.domain.programs import agent, pinned, program
from tests.fake_provider import FakeProvider, answered, calling
from tests.workflows.bench import REVIEWER, Bench
from tests.workflows.test_agent_policy import told, wanting

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_agent_waits_for_what_a_person_says(bench: Bench) -> None:
    given = program(
        agent("judge", tools=[HUMAN_ASK], input="${ input }"),
        output="${ steps.judge.output }",
        tools=[pinned(HUMAN_ASK, effect_class=EffectClass.NONE)],
    )
    provider = FakeProvider(calling(wanting(HUMAN_ASK, question="Is it urgent?", choices=["yes", "no"])), answered("done"))
    async with bench.worker(provider=provider):
        run = await bench.start(given)
        task = await run.task("human")
        assert (task.projection.title, task.projection.call) == ("Is it urgent?", "1.0")
        assert (await run.row()).status is RunStatus.WAITING
        said: JsonValue = {"answer": "yes"}
        ref = await bench.storage.payloads.put(bench.tenant, run.run, said)  # as the gateway stores it with the task
        completion = {"task": task.projection.task, "resolution": "completed", "output": said, "ref": ref, "principal": REVIEWER}
        await run.tell(TaskCompletion.model_validate(completion))
        assert (await run.handle.result()).output == "done"
        assert json.loads(told(provider)[0]) == said
        assert [kind for kind in await run.kinds() if "task" in kind] == ["workflow:task:opened", "human:task:completed"]
