"""The command lines of what runs on this machine: `demo dev worker gateway migrate validate doctor`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cli.commands.runs import JsonOption
from cli.connection import globals_of
from cli.options import DemoOptions, DevOptions, DoctorOptions, MigrateOptions, PartOptions, ValidateOptions
from cli.starting import run_and_exit, run_and_leave


def dev(
    ctx: typer.Context,
    *,
    detach: Annotated[bool, typer.Option("--detach", help="Run in the background; this command ends when everything is ready.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Stop the stack, and what a killed one left behind.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Say what runs and where; code 6 when nothing does.")] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Delete all data of the stopped stack; asks first.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --reset: do not ask.")] = False,
    background: Annotated[bool, typer.Option("--background", hidden=True)] = False,
    json_output: JsonOption = False,
) -> None:
    """Start Temporal, PostgreSQL, worker and gateway on this machine.

    Raises:
        typer.BadParameter: Options exclude each other.
    """
    if sum((detach, stop, status, reset)) > 1:
        raise typer.BadParameter("--detach, --stop, --status and --reset exclude each other")
    state_dir = globals_of(ctx).state_dir
    chosen = DevOptions(state_dir=state_dir, background=background, yes=yes, json_output=json_output)
    run_and_leave("dev", replace(chosen, detach=detach, stop=stop, status=status, reset=reset))


def worker() -> None:
    """Start a worker alone; needs TEMPORAL_ADDRESS and DATABASE_URL."""
    run_and_leave("worker", PartOptions())


def gateway() -> None:
    """Start a gateway alone; needs TEMPORAL_ADDRESS and DATABASE_URL."""
    run_and_leave("gateway", PartOptions())


def migrate(
    *,
    check: Annotated[
        bool,
        typer.Option("--check", help="Change nothing; code 1 when a migration is needed, 6 when the schema is newer than this version."),
    ] = False,
) -> None:
    """Bring the database to this version's schema; needs STANDFAST_DATABASE_OWNER_URL."""
    run_and_exit("migrate", MigrateOptions(check=check))


def demo(*, keep: Annotated[bool, typer.Option("--keep", help="Leave the stack running afterwards.")] = False) -> None:
    """Review flight-delay claims end to end, and check the books."""
    run_and_leave("demo", DemoOptions(keep=keep))


def validate(
    path: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="A definition, or a folder with definition, prompts and schemas.")],
    *,
    json_output: JsonOption = False,
) -> None:
    """Check definitions without registering them; each mistake has file, line and column."""
    run_and_leave("validate", ValidateOptions(path=path, json_output=json_output))


def doctor(ctx: typer.Context, *, json_output: JsonOption = False) -> None:
    """Look whether this machine has what Standfast needs, and say what to do about what it lacks."""
    run_and_leave("doctor", DoctorOptions(state_dir=globals_of(ctx).state_dir, json_output=json_output))
