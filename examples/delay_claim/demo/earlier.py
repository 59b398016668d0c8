"""Runs that an interrupted demo left open: they would go on as soon as a worker runs, and mix with this demo's counts."""

import json
from pathlib import Path
from typing import cast

from examples.delay_claim.demo.screen import Screen
from examples.delay_claim.demo.stack import DemoStack
from standfast_client import ConflictError, NotFoundError, Standfast, WaitTimedOutError

_CANCEL_SECONDS_MAX = 30.0


def cancel_earlier_runs(stack: DemoStack, record: Path, screen: Screen) -> bool:
    """Cancel the open ones among the recorded runs and wait until they have undone what they did; return whether there were any.

    A recorded run that is not there went with the data, by `standfast dev --reset`.
    """
    if not record.exists():
        return False
    cancelled = False
    with Standfast(stack.state.gateway_url, stack.state.api_keys["operator"]) as client:
        for run in cast("list[str]", json.loads(record.read_text(encoding="utf-8"))):
            handle = client.runs.handle(run)
            try:
                if handle.read().closed:
                    continue
                screen.step(f"cancels {run}, which an interrupted demo left open")
                cancelled = True
                handle.cancel("the demo was interrupted")
                handle.wait(_CANCEL_SECONDS_MAX)
            except NotFoundError:
                continue
            except (ConflictError, WaitTimedOutError) as error:
                screen.step(f"{run}: {error}")
    record.unlink()
    return cancelled
