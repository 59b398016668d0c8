"""The example's patterns on a whole stack whose worker is killed with kill -9 in each of them: what was done stays done."""

import asyncio
import json
from collections.abc import Generator
from functools import partial
from pathlib import Path

import pytest

from domain.ids import format_id
from examples.agent_blocks.play import NAMES, SCRIPT, TENANT, Stage, stage
from standfast_client import ConflictError, ForbiddenError
from standfast_sdk import RunTicket
from tests.examples.running_service import wait_until
from tests.faults.test_worker_killed import fired
from tests.servers.stack import LiveStack, live_stack

KILLS = {
    "handoff": "after-effect letter.refunds_1 1.model",
    "agent_as_tool": "after-effect question.counter_1_0 1.model",
    "reflection": "after-outcome letter.review_1 1.model",
    "planner": "after-effect why.do_1.cause 1.model",
    "router": "after-intent letter.choose 1.model",
    "validator": "after-effect amount.answer_2 1.model",
}
"""Where the worker ends, once in each pattern."""

EXPECTED = {
    "handoff": {"answer": "The passenger gets 400 USD.", "agent": "refunds", "by": ["triage"]},
    "agent_as_tool": "There were 3 late flights.",
    "reflection": {
        "answer": "We are sorry that your flight was late, and pay 400 USD.",
        "accepted": True,
        "rounds": 2,
        "feedback": "",
    },
    "planner": {
        "results": {"delay": "Found: Find the delay.", "weather": "Found: Find the weather.", "cause": "Found: Find the cause."},
        "summary": "It was the weather. (Found: Find the cause.)",
        "plans": 1,
    },
    "router": {"route": "money", "agent": "refunds", "answer": "The passenger gets 400 USD."},
    "validator": {"amount": 400},
}

CALLS = {"handoff": 2, "agent_as_tool": 3, "reflection": 4, "planner": 5, "router": 2, "validator": 3}
"""How many model calls each pattern takes, however often the worker dies."""


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that names where the worker ends."""
    return tmp_path_factory.mktemp("faults") / "points"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, points: Path) -> Generator[LiveStack]:
    """A stack whose worker has the example's workflows."""
    environment = {"STANDFAST_SCRIPTS": json.dumps({"blocks": str(SCRIPT)}), "STANDFAST_FAULT_FILE": str(points)}
    folder = tmp_path_factory.mktemp("blocks") / "state"
    with live_stack(folder, environment=environment, worker="examples.agent_blocks.worker") as running:
        yield running


async def outcome(here: Stage, name: str) -> tuple[object, int, bool]:
    """Start a pattern and return its result, its model calls, and whether its ledger verifies."""
    handle = await here.start(name)
    result = await handle.result()
    async with here.client("auditor") as auditor:
        trace = await auditor.runs.handle(handle.id).trace()
        verdict = await auditor.ledger.verify(handle.id)
    answered = [effect for effect in trace.effects if effect.state == "done" and effect.subject == "scripted/blocks"]
    return result, len(answered), verdict.ok


async def killed_in_each(here: Stage, points: Path) -> dict[str, tuple[object, int, bool]]:
    """Kill the worker once in each pattern, the earlier ones still under way; no other kill can make a pattern miss its own."""
    under_way: dict[str, asyncio.Task[tuple[object, int, bool]]] = {}
    async with asyncio.TaskGroup() as group:
        for name in NAMES:
            points.write_text(f"{KILLS[name]}\n", encoding="utf-8")
            under_way[name] = group.create_task(outcome(here, name))
            await asyncio.to_thread(wait_until, partial(has_fired, points, KILLS[name]))
    return {name: done.result() for name, done in under_way.items()}


def has_fired(points: Path, kill: str) -> bool:
    """Whether the worker has ended there."""
    return kill in fired(points)


@pytest.mark.timeout(300)
async def test_each_pattern_survives_a_killed_worker_and_asks_no_model_twice(stack: LiveStack, points: Path) -> None:
    async with stage(stack.folder, stack.dev["gateway_url"], stack.dev["api_keys"], stack.dev["temporal_address"]) as here:
        assert len(await here.approve()) == 12
        assert len(await here.approve()) == 12  # again changes nothing
        outcomes = await killed_in_each(here, points)
    assert {name: result for name, (result, _, _) in outcomes.items()} == EXPECTED
    assert {name: calls for name, (_, calls, _) in outcomes.items()} == CALLS
    assert all(ok for _, _, ok in outcomes.values())


@pytest.mark.timeout(300)
async def test_nobody_approves_their_own_agent_and_what_is_retired_stays_so(stack: LiveStack) -> None:
    files = {"mine.yaml": "standfast: 1\nagent: {name: mine, version: 1.0.0, model: scripted/blocks, instructions: {text: Hello.}}\n"}
    async with (
        stage(stack.folder, stack.dev["gateway_url"], stack.dev["api_keys"], stack.dev["temporal_address"]) as here,
        here.client("admin") as admin,
        here.client("operator") as operator,
    ):
        await admin.agents.register(files)
        await admin.agents.move("mine", "1.0.0", "review")
        with pytest.raises(ForbiddenError, match="four eyes"):
            await admin.agents.move("mine", "1.0.0", "approved")
        await operator.agents.move("mine", "1.0.0", "retired")
        with pytest.raises(ConflictError):
            await admin.agents.move("mine", "1.0.0", "review")


def test_a_ticket_of_before_reads_on() -> None:
    old = {"tenant": TENANT, "run": format_id("run", bytes(16)), "principal": "prn_a", "correlation_id": "c"}
    assert RunTicket.model_validate(old).model_dump() == old
