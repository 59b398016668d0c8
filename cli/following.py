"""Shows a run's events on the terminal as they come."""

import json

from cli.event_views import Screen
from cli.screen import write
from standfast_client import RunHandle


def follow(handle: RunHandle, *, after: str | None = None, json_output: bool = False, aside: bool = False) -> None:
    """Show events until the run ends; `aside` writes to standard error, for a command whose output is something else."""
    screen = Screen()
    for event in handle.events(after=after):
        if json_output:
            write(json.dumps(event.model_dump(mode="json", exclude_defaults=True)) + "\n", aside=aside)
        else:
            write(screen.show(event), aside=aside)
