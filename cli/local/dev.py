"""`standfast dev`: the whole stack on this machine, in the foreground or behind the terminal."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import typer

from cli.exit_codes import ExitCode
from cli.options import DevOptions
from cli.screen import clean, note, say, show_json, show_table
from domain.errors import StandfastError
from wiring.dev.background import detach_dev, dev_status, reset_dev, stop_dev
from wiring.dev.child import ChildFailedError
from wiring.dev.records import AlreadyRunningError, DevState
from wiring.dev.supervisor import run_dev
from wiring.dev_stack import dev_config
from wiring.embedded.postgres_programs import PostgresUnavailableError
from wiring.embedded.temporal_ready import TemporalNotReadyError, TemporalTooOldError
from wiring.embedded.temporal_server import TemporalServerUnavailableError
from wiring.settings import PlatformSettings

_CANNOT_START = (
    ChildFailedError,
    PostgresUnavailableError,
    TemporalNotReadyError,
    TemporalServerUnavailableError,
    TemporalTooOldError,
    StandfastError,
)


def run(options: DevOptions) -> int:
    """Start, stop, show or wipe the stack of a state folder."""
    state_dir = options.state_dir or PlatformSettings().state_dir
    action: Callable[[Path, DevOptions], int] = _foreground
    for asked, does in ((options.stop, _stop), (options.status, _status), (options.reset, _reset), (options.detach, _detach)):
        action = does if asked else action
    try:
        return action(state_dir, options)
    except AlreadyRunningError as error:
        note(f"error: {error}")
        return ExitCode.REFUSED
    except _CANNOT_START as error:
        note(f"error: {error}")
        return ExitCode.UNAVAILABLE


def _foreground(state_dir: Path, options: DevOptions) -> int:
    def ready(state: DevState) -> None:
        if not options.background:
            _show_state(state, options)
            note("stop with Ctrl-C")

    asyncio.run(run_dev(dev_config(state_dir, progress=_note_progress), on_ready=ready))
    return ExitCode.OK


def _detach(state_dir: Path, options: DevOptions) -> int:
    argv = (sys.executable, "-m", "cli.main", "dev", "--background", "--state-dir", str(state_dir))
    state = detach_dev(state_dir, argv, _note_progress)
    _show_state(state, options)
    note(f"stop with `standfast dev --stop{_named(options)}`")
    return ExitCode.OK


def _stop(state_dir: Path, options: DevOptions) -> int:
    del options
    note("stopped" if stop_dev(state_dir, note) else f"nothing runs on {state_dir}")
    return ExitCode.OK


def _status(state_dir: Path, options: DevOptions) -> int:
    found = dev_status(state_dir)
    if options.json_output:
        urls = dict(_urls(found.state)) if found.state else {}
        show_json({"running": found.running, "ready": found.state is not None, "parts": dict(found.parts), **urls})
    elif not found.running:
        note(f"nothing runs on {state_dir}; start it with `standfast dev{_named(options)}`")
    elif found.state is None:
        note("the stack is starting")
    else:
        _show_state(found.state, options)
        show_table(("PART", "STATE"), [(name, "ok" if runs else "missing") for name, runs in found.parts.items()], nothing="no parts")
    return ExitCode.OK if found.running else ExitCode.UNAVAILABLE


def _reset(state_dir: Path, options: DevOptions) -> int:
    if dev_status(state_dir).running:
        note(f"a stack runs on {state_dir}: stop it first with `standfast dev --stop{_named(options)}`")
        return ExitCode.REFUSED
    if not options.yes and not _agreed(state_dir):
        note("nothing was deleted")
        return ExitCode.REFUSED
    deleted = reset_dev(state_dir)
    note(f"deleted in {state_dir}: {', '.join(deleted)}" if deleted else f"there is no data in {state_dir}")
    return ExitCode.OK


def _agreed(state_dir: Path) -> bool:
    """Ask; without a terminal nobody can answer, which means no."""
    if not sys.stdin.isatty():
        note("--reset deletes data and nobody can be asked here: add --yes")
        return False
    return typer.confirm(f"Delete all runs, ledgers and definitions in {state_dir}?", err=True)


def _show_state(state: DevState, options: DevOptions) -> None:
    if options.json_output:
        show_json(dict(_urls(state)))
        return
    show_table(("WHAT", "WHERE"), _urls(state), nothing="")
    say()
    say("try `standfast definitions`, `standfast runs`, `standfast doctor`")


def _urls(state: DevState) -> list[tuple[str, str]]:
    return [
        ("gateway", state.gateway_url),
        ("api reference", f"{state.gateway_url}/docs"),
        ("temporal web ui", state.temporal_ui_url or "not known"),
        ("temporal", state.temporal_address),
        ("database", state.database_url.split("@")[-1] if "@" in state.database_url else state.database_url),
    ]


def _named(options: DevOptions) -> str:
    return f" --state-dir {options.state_dir}" if options.state_dir else ""


def _note_progress(line: str) -> None:
    note(clean(line))
