"""What an agent costs on Standfast beside a loop written by hand over the same activities.

    python -m benchmarks.agent_turns [--runs 40]

Two kinds of run in one worker, in turns: a run of a definition with one agent, and a hand-written Temporal workflow that calls the same
activities in the same order (`hand_written_agent.py`). The model answers at once, in this process: ten times it asks for a tool, then it
answers. So both make 11 model calls, 10 tool calls and one write of the closing status, each with its intent and outcome in PostgreSQL and
encrypted payloads. Goal: a run takes at most 1.2 times as long.
"""

import argparse
import asyncio

import uvloop

from adapters.definitions.yaml_reader import YamlBundleReader
from benchmarks.hand_written_agent import AgentInput, HandWrittenAgent
from benchmarks.platform import PRINCIPAL, TENANT, InstantTool, Platform, platform
from benchmarks.servers import servers
from benchmarks.step_overhead import judged, load, quantile, timed
from domain.agent_loop import prompt_tools
from domain.compile import compile_program
from domain.program import AgentStep, Program
from domain.provider import CompletionReply, CompletionRequest, ModelToolCall, OnDelta, StopReason
from domain.registry import DefinitionDraft
from wiring.processes import leave
from workflows.messages import TASK_QUEUE

TURNS = 10
WARM_UP = 10
GOAL = 1.2
KINDS = ("by hand", "standfast")

TEXT = """standfast: 1
name: bench-agent
version: 1.0.0
input: {schema: {type: object}}
do:
  - ask: {agent: {model: scripted/instant, instructions: {text: Count.}, input: go, tools: [bench.instant], max_turns: 20}}
output: "${ steps.ask.output }"
"""


class InstantModel:
    """Asks for the tool ten times, then answers; no time passes."""

    async def complete(self, request: CompletionRequest, on_delta: OnDelta | None = None, *, timeout_s: float) -> CompletionReply:
        """Return the reply of this turn."""
        del on_delta, timeout_s
        turn = sum(message.role == "assistant" for message in request.messages)
        said = {"model": request.model, "input_tokens": 10 * (turn + 1), "output_tokens": 5}
        if turn == TURNS:
            return CompletionReply.model_validate({**said, "text": "done", "stop": StopReason.ANSWERED})
        call = ModelToolCall(vendor_id=f"v{turn}", name="bench.instant", arguments={"n": turn})
        return CompletionReply.model_validate({**said, "text": "", "tool_calls": [call], "stop": StopReason.TOOL_CALLS})


def definition() -> DefinitionDraft:
    """Return the definition with the agent.

    Raises:
        AssertionError: it has mistakes.
    """
    drafts, problems = YamlBundleReader().read({"bench.yaml": TEXT}, tools=[InstantTool.spec])
    if problems:
        raise AssertionError("; ".join(map(str, problems)))
    return drafts[0]


def first_call(program: Program, run: str) -> AgentInput:
    """Return the input of the hand-written loop: the request that a run would make.

    Raises:
        TypeError: the program has no agent.
    """
    [step] = program.steps
    if not isinstance(step, AgentStep):
        raise TypeError(f"the program's step is no agent but {step.kind}")
    return AgentInput(
        tenant=TENANT,
        run=run,
        prompt={
            "model": step.model,
            "instructions": step.instructions,
            "instructions_sha256": step.instructions_sha256,
            "tools": prompt_tools(program, step),
            "output_schema": None,
            "max_output_tokens": step.max_output_tokens,
        },
    )


async def measure(ours: Platform, *, runs: int) -> dict[str, list[float]]:
    """Return the milliseconds of each run by kind, taken in turns."""
    draft = definition()
    await ours.storage.definitions.register(TENANT, draft, principal=PRINCIPAL)
    program = compile_program(draft, tools=[InstantTool.spec], config={})
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for turn in range(WARM_UP + runs):
        for kind in KINDS if turn % 2 else KINDS[::-1]:
            start = await ours.accept(program)
            if kind == "standfast":
                took = await timed(lambda start=start: ours.run(start))
            else:
                given = first_call(program, start.run)
                took = await timed(lambda given=given: _by_hand(ours, given))
            if turn >= WARM_UP:
                times[kind].append(took)
    return times


async def _by_hand(ours: Platform, given: AgentInput) -> object:
    return await ours.link.client.execute_workflow(
        HandWrittenAgent.run, given, id=given.run, task_queue=TASK_QUEUE, request_eager_start=True
    )


def report(times: dict[str, list[float]]) -> str:
    """Return the lines."""
    p50 = {kind: quantile(times[kind], 50) for kind in KINDS}
    ratio = p50["standfast"] / p50["by hand"]
    lines = [f"an agent of {TURNS} turns with a tool call each, and an answer; {len(times['standfast'])} runs each"]
    lines += [f"  {kind:<17} p50 {p50[kind]:7.1f} ms   p95 {quantile(times[kind], 95):7.1f} ms" for kind in KINDS]
    return "\n".join([*lines, judged("standfast / by hand", ratio, f"at most {GOAL}", met=ratio <= GOAL)])


async def run(runs: int) -> None:
    """Measure and print."""
    print(load())
    async with servers() as there, platform(there, provider=InstantModel(), workflows=[HandWrittenAgent]) as ours:
        print(report(await measure(ours, runs=runs)))
    print(load())


def main() -> None:
    """Measure, print, and end the process."""
    parser = argparse.ArgumentParser(description="Measure what an agent costs beside a loop written by hand over the same activities.")
    parser.add_argument("--runs", type=int, default=40, help="measured runs of each kind")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(parser.parse_args().runs))
    leave(0)


if __name__ == "__main__":
    main()
