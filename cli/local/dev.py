"""`standfast dev`: the whole stack on this machine, in the foreground or behind the terminal."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import typer

from cli.exit_codes import ExitCode
from cli.local.dev_views import addresses, note_progress, show_state
from cli.options import DevOptions
from cli.screen import note, show_json, show_table
from cli.starting import run_local
from wiring.dev.background import detach_dev, dev_status, reset_dev, stop_dev
from wiring.dev.child import ChildFailedError
from wiring.dev.records import AlreadyRunningError
from wiring.settings import PlatformSettings


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
    except ChildFailedError as error:
        note(f"error: {error}")
        return ExitCode.UNAVAILABLE


def _foreground(state_dir: Path, options: DevOptions) -> int:
    return run_local("supervise", replace(options, state_dir=state_dir))


def _detach(state_dir: Path, options: DevOptions) -> int:
    argv = (sys.executable, "-m", "cli.main", "dev", "--background", "--state-dir", str(state_dir))
    state = detach_dev(state_dir, argv, note_progress)
    show_state(state, options)
    note(f"stop with `standfast dev --stop{_named(options)}`")
    return ExitCode.OK


def _stop(state_dir: Path, options: DevOptions) -> int:
    del options
    note("stopped" if stop_dev(state_dir, note) else f"nothing runs on {state_dir}")
    return ExitCode.OK


def _status(state_dir: Path, options: DevOptions) -> int:
    found = dev_status(state_dir)
    if options.json_output:
        urls = dict(addresses(found.state)) if found.state else {}
        show_json({"running": found.running, "ready": found.state is not None, "parts": dict(found.parts), **urls})
    elif not found.running:
        note(f"nothing runs on {state_dir}; start it with `standfast dev{_named(options)}`")
    elif found.state is None:
        note("the stack is starting")
    else:
        show_state(found.state, options)
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


def _named(options: DevOptions) -> str:
    return f" --state-dir {options.state_dir}" if options.state_dir else ""
