"""What `standfast dev` shows of a stack: its addresses, and what goes on while it starts."""

import re

from cli.options import DevOptions
from cli.screen import clean, note, say, show_json, show_table
from wiring.dev.records import DevState


def show_state(state: DevState, options: DevOptions) -> None:
    """Show where everything is, once all of it is ready."""
    if options.json_output:
        show_json(dict(addresses(state)))
        return
    show_table(("WHAT", "WHERE"), addresses(state), nothing="")
    say()
    say("try `standfast definitions`, `standfast runs`, `standfast doctor`")


def addresses(state: DevState) -> list[tuple[str, str]]:
    """Return the parts with their addresses; the database without its password."""
    return [
        ("gateway", state.gateway_url),
        ("api reference", f"{state.gateway_url}/docs"),
        ("temporal web ui", state.temporal_ui_url or "not known"),
        ("temporal", state.temporal_address),
        ("database", without_password(state.database_url)),
    ]


def without_password(url: str) -> str:
    """Return a database's URL as a screen may show it; whatever stands before the last `@` of its first part counts as password."""
    shown = re.sub(r"^(\w+://[^:@/?]*):[^/?]*@", r"\1@", url)
    return re.sub(r"([?&]password=)[^&]*", r"\1…", shown)


def note_progress(line: str) -> None:
    """Say what goes on; a part's own words come along, so they are cleaned."""
    note(clean(line))
