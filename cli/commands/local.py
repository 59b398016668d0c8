"""The command lines of what runs on this machine: `demo dev worker gateway migrate validate doctor`, and `keys create revoke`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cli.commands.runs import JsonOption
from cli.connection import globals_of
from cli.options import (
    DemoOptions,
    DevOptions,
    DoctorOptions,
    KeyOptions,
    MigrateOptions,
    PartOptions,
    RevokeOptions,
    ValidateOptions,
)
from cli.starting import run_and_exit, run_and_leave

TenantOption = Annotated[str | None, typer.Option("--tenant", help="Tenant of the key; else STANDFAST_TENANT, else default.")]


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


def create_key(
    name: Annotated[str, typer.Argument(help="Whose key it is, in words.")],
    role: Annotated[str, typer.Argument(metavar="ROLE", help="viewer, operator, approver, developer, auditor or admin.")],
    *,
    reviews: Annotated[list[str] | None, typer.Option(metavar="ROLE", help="A reviewer role to decide as; may be repeated.")] = None,
    tenant: TenantOption = None,
    json_output: JsonOption = False,
) -> None:
    """Make an API key and show it once; needs DATABASE_URL and the gateway's master key, and no other key."""
    run_and_exit("keys", KeyOptions(name=name, role=role, reviewer_roles=tuple(reviews or ()), tenant=tenant, json_output=json_output))


def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="The key's id, or all of it.")],
    *,
    tenant: TenantOption = None,
    json_output: JsonOption = False,
) -> None:
    """End an API key now; needs DATABASE_URL."""
    run_and_exit("keys", RevokeOptions(key_id=key_id, tenant=tenant, json_output=json_output))


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
