"""What a sandbox's start costs beside the tool's own start: Monty, bubblewrap, Docker and Docker with gVisor, and what warm pools spare.

    python -m benchmarks.sandbox_start [--rounds 15]

Each round starts an empty program by the library or program itself, with the same limits, and by the port; both in turn, so that whatever
else the box does meets both. The number is the quotient of the medians. Docker is skipped, with the reason, where no daemon answers at
DOCKER_HOST. Goal: at most 1.1.
"""

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import uvloop
import wasmtime
from pydantic_monty import AsyncMonty, MemoryFile, OSAccess, ResourceLimits

from adapters.sandboxes.bubblewrap import BECOME_NOBODY, BubblewrapSandbox
from adapters.sandboxes.bubblewrap_arguments import bwrap_arguments, in_memory
from adapters.sandboxes.container_options import container_options, given_archive
from adapters.sandboxes.container_stream import ContainerStream
from adapters.sandboxes.docker_backend import DockerSandbox
from adapters.sandboxes.docker_engine import DEFAULT_URL, connect
from adapters.sandboxes.monty import MontySandbox
from adapters.sandboxes.seccomp import bpf_program
from adapters.sandboxes.wasm import WasmSandbox
from benchmarks.step_overhead import load
from domain.sandbox import Sandbox, SandboxProfile

GOAL = 1.1
IMAGE = "standfast-test:busybox"
"""Made by `.ci/build-test-image.sh`."""
EMPTY = '(module (memory (export "memory") 1) (func (export "_start")))'

Start = Callable[[], Awaitable[object]]


async def timed(start: Start) -> float:
    """Return how long one start took, in milliseconds."""
    began_s = time.perf_counter()
    await start()
    return (time.perf_counter() - began_s) * 1000


async def compared(name: str, own: Start, ours: Start, rounds: int) -> float:
    """Measure both in turn and print; the first round of each only warms up."""
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        for which, start in enumerate((own, ours) if number % 2 else (ours, own)):
            place = which if number % 2 else 1 - which
            milliseconds = await timed(start)
            if number:
                taken[place].append(milliseconds)
    own_ms, ours_ms = (statistics.median(each) for each in taken)
    ratio = ours_ms / own_ms
    verdict = "" if ratio <= GOAL else f"  above {GOAL}"
    print(f"{name:<12} own {own_ms:8.2f} ms   port {ours_ms:8.2f} ms   {ratio:5.2f} ×{verdict}")
    return ratio


def run_of(sandbox: Sandbox, profile: SandboxProfile, command: list[str], files: dict[str, bytes]) -> Start:
    """Return one run by the port."""

    async def run() -> None:
        result = await sandbox.run(profile, command, files=files)
        if (result.ended, result.exit_code) != ("exit", 0):
            raise SystemExit(f"the empty program did not end well: {result}")

    return run


async def monty(rounds: int, stack: AsyncExitStack) -> None:
    """Measure a snippet in a pool that is warm in both."""
    profile = SandboxProfile(name="bench", backend="monty")
    pool = await stack.enter_async_context(AsyncMonty(min_processes=1, max_processes=4))
    sandbox = await stack.enter_async_context(MontySandbox(workers=4))

    async def own() -> None:
        limits: ResourceLimits = {"max_feed_duration_secs": 10.0, "max_total_sleep_secs": 10.0, "max_memory": profile.memory_bytes}
        said: list[str] = []
        async with pool.checkout(limits=limits) as session, asyncio.timeout(11.0):
            files = OSAccess([MemoryFile("/work/snippet.py", content=b"1 + 1")])
            await session.feed_run("1 + 1", print_callback=lambda _stream, text: said.append(text), os=files, cwd="/work")

    await compared("monty", own, run_of(sandbox, profile, ["python", "main.py"], {"main.py": b"1 + 1"}), rounds * 10)


async def bubblewrap(rounds: int) -> None:
    """Measure `true` under bwrap with the same arguments."""
    sandbox = BubblewrapSandbox()
    reason = await sandbox.missing()
    if reason is not None:
        print(f"bubblewrap   skipped: {reason}")
        return
    profile = SandboxProfile(name="bench", backend="bubblewrap")

    async def own() -> None:
        with in_memory(bpf_program(network=False)) as seccomp:
            process = await asyncio.create_subprocess_exec(
                *(*(BECOME_NOBODY if os.geteuid() == 0 else ()), "bwrap", *bwrap_arguments(profile, {}, seccomp), "--", "true"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={"PATH": "/usr/bin:/bin"},
                cwd="/",
                pass_fds=(seccomp,),
                start_new_session=True,
            )
            await process.communicate()

    await compared("bubblewrap", own, run_of(sandbox, profile, ["true"], {}), rounds * 2)


async def containers(name: str, runtime: str | None, rounds: int) -> None:
    """Measure `true` in a container: by the SDK, by the port, and by the port with one container waiting."""
    url = os.environ.get("DOCKER_HOST", DEFAULT_URL)
    cold, warm = (DockerSandbox(base_url=url, runtime=runtime, warm=number) for number in (0, 1))
    reason = await cold.missing()
    if reason is not None:
        print(f"{name:<12} skipped: {reason}")
        return
    profile = SandboxProfile(name="bench", backend="docker", image=IMAGE)
    client = await asyncio.to_thread(connect, url)

    def by_hand() -> None:
        container = client.containers.create(IMAGE, [], **container_options(profile, runtime=runtime, deadline_s=time.time() + 60))
        stream = ContainerStream(container)
        container.start()
        stream.talk(given_archive({}, b"", ["true"]), lambda _stream, _chunk: True)
        container.wait(timeout=30)
        container.remove(force=True, v=True)

    async def own() -> None:
        await asyncio.to_thread(by_hand)

    run = run_of(warm, profile, ["true"], {})
    try:
        await compared(name, own, run_of(cold, profile, ["true"], {}), rounds)
        await run()
        await warm.ready()
        taken: list[float] = []
        for _ in range(max(3, rounds // 3)):
            taken.append(await timed(run))
            await warm.ready()
        print(f"{'':<12} with one container waiting     {statistics.median(taken):8.2f} ms")
    finally:
        await asyncio.gather(cold.aclose(), warm.aclose())
        client.close()


async def wasm(rounds: int) -> None:
    """Measure an empty module: with a process that waits, and without."""
    profile, files = SandboxProfile(name="bench", backend="wasm"), {"empty.wasm": bytes(wasmtime.wat2wasm(EMPTY))}
    told: list[str] = []
    for warm in (0, 1):
        sandbox = WasmSandbox(warm=warm)
        run = run_of(sandbox, profile, ["empty.wasm"], files)
        taken: list[float] = []
        for number in range(rounds + 1):
            milliseconds = await timed(run)
            taken += [milliseconds] if number else []
            await asyncio.sleep(0.3 if warm else 0)
        await sandbox.aclose()
        told.append(f"{'with one process waiting' if warm else 'cold'} {statistics.median(taken):.2f} ms")
    print(f"{'wasm':<12} {', '.join(told)}")


async def main(rounds: int) -> None:
    """Measure everything this machine has."""
    print(f"start of a sandbox, median of {rounds} rounds; load {load()}")
    async with AsyncExitStack() as stack:
        await monty(rounds, stack)
        await bubblewrap(rounds)
        await containers("docker", None, rounds)
        await containers("gvisor", "runsc", rounds)
        await wasm(rounds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    uvloop.run(main(parser.parse_args().rounds))
