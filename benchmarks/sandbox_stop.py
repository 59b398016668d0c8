"""How soon a sandbox is gone: after its run was cancelled, and after its time was over; and how fast the host answers beside it.

    python -m benchmarks.sandbox_stop [--rounds 10]

A run is over when its port returns, and by then every process of it is dead. Backends that are missing are skipped, with the reason.
Goal (PROOF B22): at most two seconds each.
"""

import argparse
import asyncio
import os
import statistics
import time
from typing import NamedTuple

import uvloop
import wasmtime

from adapters.sandboxes.bubblewrap import BubblewrapSandbox
from adapters.sandboxes.docker_backend import DockerSandbox
from adapters.sandboxes.monty import MontySandbox
from adapters.sandboxes.select import ProbedSandbox
from adapters.sandboxes.wasm import WasmSandbox
from benchmarks.step_overhead import load
from domain.sandbox import SandboxProfile

GOAL_S = 2.0
WALL_S = 1.0
IMAGE = "standfast-test:busybox"
"""Made by `.ci/build-test-image.sh`."""
PYTHON = b"print('begun')\nwhile True:\n    pass\n"
SHELL = b"echo begun; for n in 1 2 3 4; do (while true; do :; done) & done; while true; do :; done"
MODULE = """(module (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
(memory (export "memory") 1) (data (i32.const 0) "\\08\\00\\00\\00\\06\\00\\00\\00begun\\0a")
(func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16))) (loop $ever (br $ever))))"""
"""Says that it began, and never ends."""
ANSWER_S = 1.0
"""PROOF B22: the host answers in less, whatever runs in a sandbox."""


class Contender(NamedTuple):
    """A backend, and a program in its language that says that it began and never ends."""

    sandbox: ProbedSandbox
    profile: SandboxProfile
    command: tuple[str, ...]
    program: bytes


def contenders() -> dict[str, Contender]:
    """Return every backend there is."""
    url = os.environ.get("DOCKER_HOST")
    profile = SandboxProfile(name="bench", backend="monty", cpu_s=60.0, image=IMAGE)
    python, shell = ("python3", "main.py"), ("sh", "main.py")
    return {
        "monty": Contender(MontySandbox(), profile, python, PYTHON),
        "bubblewrap": Contender(BubblewrapSandbox(), profile.model_copy(update={"backend": "bubblewrap"}), shell, SHELL),
        "docker": Contender(DockerSandbox(base_url=url), profile.model_copy(update={"backend": "docker"}), shell, SHELL),
        "gvisor": Contender(DockerSandbox(base_url=url, runtime="runsc"), profile.model_copy(update={"backend": "gvisor"}), shell, SHELL),
        "wasm": Contender(WasmSandbox(), profile.model_copy(update={"backend": "wasm"}), ("main.py",), bytes(wasmtime.wat2wasm(MODULE))),
    }


async def cancelled_s(one: Contender) -> float:
    """Cancel a run in the middle and return how long it took to go."""
    began = asyncio.Event()

    async def listen(_stream: str, _chunk: bytes) -> None:
        began.set()

    running = asyncio.create_task(one.sandbox.run(one.profile, list(one.command), files={"main.py": one.program}, on_output=listen))
    await began.wait()
    told_s = time.perf_counter()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return time.perf_counter() - told_s


async def overdue_s(one: Contender) -> float:
    """Let a run pass its time and return how much later it ended.

    Raises:
        SystemExit: it ended otherwise.
    """
    profile = one.profile.model_copy(update={"wall_s": WALL_S})
    result = await one.sandbox.run(profile, list(one.command), files={"main.py": one.program})
    if result.ended != "timeout":
        raise SystemExit(f"the endless program ended: {result}")
    return result.duration_ms / 1000 - WALL_S


async def slowest_answer_s(one: Contender) -> float:
    """Return the worst time in which this process and a new one of the host answer beside a run that takes all it gets."""
    worst_s = 0.0
    running = asyncio.create_task(overdue_s(one))
    while not running.done():
        began_s = time.perf_counter()
        process = await asyncio.create_subprocess_exec("/bin/true")
        await process.wait()
        worst_s = max(worst_s, time.perf_counter() - began_s)
        await asyncio.sleep(0.01)
    await running
    return worst_s


def told(values_s: list[float]) -> str:
    """Return median and worst in milliseconds."""
    worst_s = max(values_s)
    return f"{statistics.median(values_s) * 1000:7.1f} ms, worst {worst_s * 1000:7.1f} ms{'' if worst_s <= GOAL_S else '  above 2 s'}"


async def main(rounds: int) -> None:
    """Measure everything this machine has."""
    print(f"end of a sandbox, median of {rounds} rounds; load {load()}")
    for name, one in contenders().items():
        try:
            reason = await one.sandbox.missing()
            if reason is not None:
                print(f"{name:<12} skipped: {reason}")
                continue
            print(f"{name:<12} cancelled {told([await cancelled_s(one) for _ in range(rounds)])}", end="")
            print(f"   past its time {told([await overdue_s(one) for _ in range(rounds)])}", end="")
            answer_s = await slowest_answer_s(one)
            print(f"   the host answers in {answer_s * 1000:5.1f} ms at worst{'' if answer_s < ANSWER_S else '  above 1 s'}")
        finally:
            await one.sandbox.aclose()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    uvloop.run(main(parser.parse_args().rounds))
