"""Each branch of the run workflow, run live and replayed at once; a history that is not kept yet is written to `histories/`.

To record anew after a deliberate change of workflow code: delete the files, run this module, and say in the changelog that open
runs of the old version need the old workers.
"""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import JsonValue
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from domain.approval_rules import Moment, ReviewerGroup, Reviewers, Rung
from domain.completion import TaskCompletion
from domain.effects import EffectClass, RetryClass
from domain.errors import ToolFailed, ToolTimedOut, ToolUnavailable
from domain.provider import ModelToolCall
from domain.tools import ToolCall
from tests.domain.programs import agent, approve, call, pinned, program, put, saga
from tests.fake_provider import FakeProvider, answered, calling
from tests.replay.recorded import HISTORIES
from tests.workflows.bench import OTHER_REVIEWER, Bench, Gate, Line, LiveRun, ScriptedTool
from workflows.messages import COMPENSATE, COMPLETE_TASK
from workflows.run import RunWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="session")

SAGA = saga("s", call("s.reserve", tool="bank.reserve", undo="bank.release", if_unknown="compensate"), call("s.pay"))


async def plain(bench: Bench) -> LiveRun:
    """Record a value, a skipped step and a call."""
    given = program(put("a", "${ input.n }"), call("skipped", when="false"), call("pay"), output="${ steps.a.output }")
    async with bench.running(given, ScriptedTool("bank.pay")) as run:
        await run.handle.result()
    return run


async def approved(bench: Bench) -> LiveRun:
    """Record an approval and the call it is bound to."""
    given = program(approve("gate", binds=["pay"], timeout_s=3600), call("pay", arguments={"n": "${ input.n }"}))
    async with bench.running(given, ScriptedTool("bank.pay")) as run:
        await run.decide(run.decision(await run.approval()))
        await run.handle.result()
    return run


async def decided_at_hand(bench: Bench) -> LiveRun:
    """Record a decision that is checked within its workflow task, and the bound call that begins beside the approval's close."""
    return await approved(bench)


async def timed_out(bench: Bench) -> LiveRun:
    """Record an approval that nobody decides."""
    async with bench.running(program(approve("gate", timeout_s=24 * 3600, on_timeout="fail"))) as run:
        await run.approval()
        await run.pass_time(timedelta(hours=25))
        assert await run.failure() == "step-timed-out"
    return run


async def weighed(bench: Bench) -> LiveRun:
    """Record an approval of two people: a reminder, a vote, a rung, an amendment, and two votes on that."""
    rules = {"reviewers": Reviewers(groups=[ReviewerGroup(role="payer", quorum=2)]), "remind_s": [3600.0], "timeout_s": 48 * 3600.0}
    ladder = [Rung(to=ReviewerGroup(role="lead"), moment=Moment(after_s=7200))]
    given = program(approve("gate", binds=["pay"], ladder=ladder, **rules), call("pay", arguments={"n": "${ input.n }"}))
    async with bench.running(given, ScriptedTool("bank.pay")) as run:
        approval = await run.approval()
        await run.pass_time(timedelta(hours=1, minutes=30))
        await run.decide(run.decision(approval))
        await run.pass_time(timedelta(hours=12))
        await run.decide(run.decision(approval, verdict="amend", content={"arguments": {"pay": {"n": 2}}}))
        new = (await run.state()).approvals[0]
        await run.decide(run.decision(new))
        await run.decide(run.decision(new, by=OTHER_REVIEWER))
        await run.handle.result()
    return run


async def undone(bench: Bench) -> LiveRun:
    """Record a saga that is undone."""
    tools = [ScriptedTool("bank.reserve"), ScriptedTool("bank.pay", ToolFailed("no")), ScriptedTool("bank.release")]
    async with bench.running(program(SAGA), *tools) as run:
        assert await run.failure() == "tool-failed"
    return run


async def cancelled(bench: Bench) -> LiveRun:
    """Record a cancellation during a call."""
    gate = Gate()
    given = program(SAGA, tools=[pinned("bank.pay", heartbeat_s=0.4, timeout_s=20)])
    async with bench.running(given, ScriptedTool("bank.reserve"), ScriptedTool("bank.pay", gate), ScriptedTool("bank.release")) as run:
        await gate.reached.wait()
        await run.handle.cancel()
        assert await run.failure() == "cancelled"
    return run


async def in_doubt(bench: Bench) -> LiveRun:
    """Record an effect in doubt that a person settles."""
    wire = pinned("bank.wire", retry_class=RetryClass.AT_MOST_ONCE)
    async with bench.running(program(call("wire", tool="bank.wire"), tools=[wire]), ScriptedTool("bank.wire", ToolTimedOut("?"))) as run:
        await run.complete(await run.task("in_doubt"), "happened", output={"id": 1})
        await run.handle.result()
    return run


async def answered_anew(bench: Bench) -> LiveRun:
    """Record an effect in doubt that did not happen: an attested answer, a refused one before it, and the call made again."""
    wire = pinned("bank.wire", retry_class=RetryClass.AT_MOST_ONCE)
    given = program(call("wire", tool="bank.wire"), tools=[wire])
    async with bench.running(given, ScriptedTool("bank.wire", ToolTimedOut("?"), {"id": 2})) as run:
        task = await run.task("in_doubt")
        await run.handle.signal(COMPLETE_TASK, TaskCompletion(task=task.projection.task, resolution="happened"))
        await run.complete(task, "did_not_happen")
        await run.handle.result()
    return run


async def judged(bench: Bench) -> LiveRun:
    """Record an agent with parallel calls, a refused one among them."""
    note = pinned("notes.read", effect_class=EffectClass.READ)
    asked = [ModelToolCall(vendor_id=f"v{n}", name=name, arguments={}) for n, name in enumerate(("notes.read", "no.tool", "notes.read"))]
    provider = FakeProvider(calling(*asked), answered("pay"))
    given = program(agent("judge", tools=["notes.read"]), tools=[note], output="${ steps.judge.output }")
    async with bench.worker(ScriptedTool("notes.read", effect_class=EffectClass.READ), provider=provider):
        run = await bench.start(given)
        assert (await run.handle.result()).output == "pay"
    return run


async def carried(bench: Bench) -> LiveRun:
    """Record the last epoch of a run that continued as new."""
    async with bench.running(program(*(call(f"c{n}") for n in range(5))), ScriptedTool("bank.pay"), history_max=14) as run:
        await run.handle.result()
    return run


async def walked(bench: Bench) -> LiveRun:
    """Record a segment that stops at a call, which is tried again alone, and a segment that ends the run."""
    note = pinned("notes.read", effect_class=EffectClass.READ)
    reads = [call(f"r{n}", tool="notes.read") for n in range(4)]
    given = program(reads[0], put("a", 1), reads[1], call("pay"), *reads[2:], output="${ steps.r3.output }", tools=[note])
    script: tuple[Line, ...] = ({"n": 1}, ToolUnavailable("503", retry_after_s=0.01))
    notes = ScriptedTool("notes.read", *script, effect_class=EffectClass.READ)
    async with bench.running(given.model_copy(update={"execution": None}), notes, ScriptedTool("bank.pay")) as run:
        await run.handle.result()
    return run


async def at_once(bench: Bench) -> LiveRun:
    """Record a parallel saga: a branch is refused, another one called off, and both branches that were done are undone side by side."""
    gate = Gate()

    async def refuse(_call: ToolCall) -> JsonValue:
        await gate.reached.wait()
        raise ToolFailed("no")

    branches = [call(f"s.{x}", tool=f"do.{x}", undo=f"undo.{x}", if_unknown="compensate") for x in "abc"]
    beats = [pinned(f"do.{x}", heartbeat_s=0.4, timeout_s=20) for x in "abc"]
    given = program(saga("s", *branches, mode="parallel", on_failure="cancel", undo="parallel"), tools=beats)
    scripts: dict[str, tuple[Line, ...]] = {"do.b": (gate,), "do.c": (refuse,)}
    tools = [ScriptedTool(f"{verb}.{x}", *scripts.get(f"{verb}.{x}", ())) for verb in ("do", "undo") for x in "abc"]
    async with bench.running(given, *tools) as run:
        assert await run.failure() == "tool-failed"
    return run


async def past_pivot(bench: Bench) -> LiveRun:
    """Record a saga that is cancelled at its pivot and goes on to its end, with a person's help."""
    gate = Gate()
    steps = saga(
        "s", call("s.a", undo="bank.refund"), call("s.p", tool="bank.charge", pivot=True), call("s.c", tool="mail.send", forward=True)
    )
    tools = [ScriptedTool("bank.pay"), ScriptedTool("bank.charge", gate), ScriptedTool("mail.send", ToolFailed("no such address"))]
    async with bench.running(program(steps), *tools) as run:
        await gate.reached.wait()
        await run.handle.cancel()
        await run.waits_for_event("WORKFLOW_EXECUTION_CANCEL_REQUESTED")
        gate.opened.set()
        await run.complete(await run.task("failed_step"), "did_not_happen")
        await run.handle.result()
    return run


async def undone_now(bench: Bench) -> LiveRun:
    """Record an operator's wish that a run be undone while it waits for an approval."""
    given = program(saga("s", call("s.a", undo="bank.refund"), approve("s.gate")))
    async with bench.running(given, ScriptedTool("bank.pay"), ScriptedTool("bank.refund")) as run:
        await run.approval()
        await run.handle.signal(COMPENSATE)
        assert await run.failure() == "compensated-by-hand"
    return run


BRANCHES: dict[str, Callable[[Bench], Awaitable[LiveRun]]] = {
    each.__name__: each
    for each in (
        plain,
        approved,
        decided_at_hand,
        timed_out,
        weighed,
        undone,
        cancelled,
        in_doubt,
        answered_anew,
        judged,
        carried,
        walked,
        at_once,
        past_pivot,
        undone_now,
    )
}


def keep(path: Path, history: WorkflowHistory) -> None:
    """Write a history without what names this machine."""
    text = json.dumps(_cleaned(json.loads(history.to_json())), separators=(",", ":"), sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")


def _cleaned(value: JsonValue) -> JsonValue:
    """Leave out stack traces, and the process and host in the names of workers and their sticky queues."""
    if isinstance(value, dict):
        return {key: _cleaned(part) for key, part in value.items() if key != "stackTrace"}
    if isinstance(value, list):
        return [_cleaned(part) for part in value]
    return "worker" if isinstance(value, str) and "@" in value else value


@pytest.mark.parametrize("name", BRANCHES)
async def test_a_branch_replays_as_it_ran(name: str, bench: Bench) -> None:
    run = await BRANCHES[name](bench)
    history = await run.handle.fetch_history()
    await Replayer(workflows=[RunWorkflow], data_converter=pydantic_data_converter).replay_workflow(history)
    path = HISTORIES / f"{name}.json"
    if not path.exists():
        keep(path, history)
