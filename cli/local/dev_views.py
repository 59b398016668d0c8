"""What `standfast dev` shows of a stack: its addresses, and what goes on while it starts."""

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
        ("database", state.database_url.split("@")[-1] if "@" in state.database_url else state.database_url),
    ]


def note_progress(line: str) -> None:
    """Say what goes on; a part's own words come along, so they are cleaned."""
    note(clean(line))
