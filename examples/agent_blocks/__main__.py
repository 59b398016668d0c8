"""`python -m examples.agent_blocks [PATTERN…]`: plays the patterns on a development stack of their own, offline."""

import argparse
import asyncio
import dataclasses
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from examples.agent_blocks.play import NAMES, SCRIPT, stage
from wiring.dev.records import DevState
from wiring.dev.supervisor import run_dev
from wiring.dev_stack import dev_config
from wiring.processes import leave


async def play(names: list[str], state_dir: Path) -> None:
    """Start the stack, play, and stop it."""
    ready: asyncio.Future[DevState] = asyncio.get_running_loop().create_future()
    config = dataclasses.replace(
        dev_config(state_dir, environment={"STANDFAST_SCRIPTS": json.dumps({"blocks": str(SCRIPT)})}),
        worker_argv=(sys.executable, "-m", "examples.agent_blocks.worker"),
    )
    running = asyncio.create_task(run_dev(config, on_ready=ready.set_result))
    await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        await running
        return
    dev = ready.result()
    async with stage(state_dir, dev.gateway_url, dev.api_keys, dev.temporal_address) as here:
        print(f"approved: {', '.join(await here.approve())}")
        for name in names:
            handle = await here.start(name)
            print(f"\n{name} ({handle.id}): {json.dumps(await handle.result(), ensure_ascii=False)}")
            async with here.client("auditor") as auditor:
                verdict = await auditor.ledger.verify(handle.id)
                print(f"  its ledger {'verifies' if verdict.ok else 'does not verify'}")
    print("\nA scripted model played every agent: no AI was asked.")
    os.kill(os.getpid(), signal.SIGTERM)  # as Ctrl-C would: the stack stops
    await running


def main() -> None:
    """Read the command line and play."""
    parser = argparse.ArgumentParser(prog="python -m examples.agent_blocks", description="Agents that work together, pattern by pattern.")
    parser.add_argument("pattern", nargs="*", choices=[[], *NAMES], help=f"of {', '.join(NAMES)}; all of them by default")
    names = parser.parse_args().pattern or list(NAMES)
    with tempfile.TemporaryDirectory(prefix="standfast-") as folder:
        asyncio.run(play(names, Path(folder) / "state"))
    leave(0)


if __name__ == "__main__":
    main()
