"""How much later a watcher sees a token than the worker got it from the model.

    python -m benchmarks.token_delay [--runs 10] [--tokens 200] [--pause 0.02]

Many runs stream at once, each watched over HTTP: from the moment the adapter hands a token on, through the worker's one writer, PostgreSQL,
the gateway's one listening connection and its server-sent events, until the watcher has read it. The model is a stand-in that knows when
it said what; everything else is the real code, worker, gateway and watchers in one process. Goal: p95 at most 20 ms on an idle box.
"""

import argparse
import asyncio
import json
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx2
import uvicorn
import uvloop
from fastapi import FastAPI

from adapters.definitions.yaml_reader import YamlBundleReader
from adapters.postgres.watching import PostgresWatching
from api.stream_deps import StreamDeps
from api.streaming import EventStream, Watch, told
from benchmarks.platform import PRINCIPAL, TENANT, Platform, platform
from benchmarks.servers import servers
from benchmarks.step_overhead import judged, load, quantile
from domain.compile import compile_program
from domain.program import Program
from domain.provider import CompletionReply, CompletionRequest, Delta, OnDelta, StopReason
from domain.streams import Cursor, Narrator
from wiring.embedded.ports import LOOPBACK
from wiring.processes import leave

GOAL_MS = 20.0
SPEAKER = """\
standfast: 1
name: bench-speaker
version: 1.0.0
input: {schema: {type: object, required: [n], properties: {n: {type: integer}}}}
do:
  - say: {agent: {model: scripted/bench, instructions: {text: "Speak."}, input: "${ input.n }", max_turns: 1}}
output: "${ steps.say.output }"
"""


class TimedModel:
    """Says numbers, one a token, and remembers when."""

    def __init__(self, tokens: int, pause_s: float) -> None:
        self.said: list[float] = []
        self._tokens = tokens
        self._pause_s = pause_s

    async def complete(self, request: CompletionRequest, on_delta: OnDelta | None = None, *, timeout_s: float) -> CompletionReply:
        """Answer in numbers that nobody else says."""
        del timeout_s
        text = ""
        for _ in range(self._tokens):
            token = f"{len(self.said)} "
            self.said.append(time.perf_counter())
            text += token
            if on_delta is not None:
                await on_delta(Delta(kind="text", text=token))
            await asyncio.sleep(self._pause_s)
        return CompletionReply(
            text=text, stop=StopReason.ANSWERED, model=request.model, input_tokens=1, output_tokens=self._tokens, scripted=True
        )


async def speaker(ours: Platform) -> Program:
    """Register the definition of one model call and return its compiled program.

    Raises:
        AssertionError: the definition has mistakes.
    """
    drafts, problems = YamlBundleReader().read({"bench.yaml": SPEAKER}, tools=[])
    if problems:
        raise AssertionError("; ".join(map(str, problems)))
    await ours.storage.definitions.register(TENANT, drafts[0], principal=PRINCIPAL)
    return compile_program(drafts[0], tools=[], config={})


@asynccontextmanager
async def gateway(ours: Platform) -> AsyncGenerator[str]:
    """Serve the streams of runs, without keys; yields the address."""
    watching = PostgresWatching(ours.storage.database)
    deps = StreamDeps(reader=ours.storage.streams, watching=watching)
    app = FastAPI()

    @app.get("/{run}")
    async def events(run: str) -> EventStream:
        return EventStream(told(deps, Watch(tenant=TENANT, run=run, settled_until=0), Narrator(Cursor())), send_s=deps.send_s)

    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    listening = socket.create_server((LOOPBACK, 0))
    waking, serving = asyncio.create_task(watching.run()), asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield f"http://{LOOPBACK}:{listening.getsockname()[1]}"
    finally:
        waking.cancel()
        await asyncio.wait([waking])
        server.should_exit = True
        await serving


async def watched(client: httpx2.AsyncClient, url: str, seen: dict[int, float]) -> None:
    """Follow one run and note when each token was read."""
    async with client.stream("GET", url) as response:
        kind = ""
        async for line in response.aiter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: ") and kind == "delta":
                now = time.perf_counter()
                seen.update(dict.fromkeys(map(int, json.loads(line.removeprefix("data: "))["text"].split()), now))
            elif kind == "end":
                return


async def run(options: argparse.Namespace) -> None:
    """Measure and print."""
    model, seen = TimedModel(options.tokens, options.pause), dict[int, float]()
    async with servers() as there, platform(there, provider=model) as ours, gateway(ours) as url, httpx2.AsyncClient(timeout=60) as client:
        program = await speaker(ours)
        starts = [await ours.accept(program) for _ in range(options.runs)]
        watchers = [asyncio.create_task(watched(client, f"{url}/{start.run}", seen)) for start in starts]
        await asyncio.gather(*(ours.run(start, eager=False) for start in starts))
        await asyncio.wait(watchers, timeout=10)
    delays = [1000 * (seen[number] - said) for number, said in enumerate(model.said) if number in seen]
    print(f"  {options.runs} runs, {len(model.said)} tokens, {len(delays)} seen as deltas, {1 / options.pause:.0f} a second each")
    print(f"  added delay p50 {quantile(delays, 50):6.1f} ms   p95 {quantile(delays, 95):6.1f} ms   p99 {quantile(delays, 99):6.1f} ms")
    p95 = quantile(delays, 95)
    print(judged("p95, ms", p95, f"at most {GOAL_MS:.0f}", met=p95 <= GOAL_MS))
    print(load())


def main() -> None:
    """Measure, print, and end the process."""
    parser = argparse.ArgumentParser(description="Measure how much later a watcher sees a token.")
    parser.add_argument("--runs", type=int, default=10, help="runs that stream at once")
    parser.add_argument("--tokens", type=int, default=200, help="tokens of each answer")
    parser.add_argument("--pause", type=float, default=0.02, help="seconds from one token to the next")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(parser.parse_args()))
    leave(0)


if __name__ == "__main__":
    main()
