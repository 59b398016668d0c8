"""`memory`: what agents saved beyond their runs, and what they may recall."""

from typing import Annotated

import typer

from cli.commands.runs import JsonOption
from cli.connection import open_client
from cli.screen import clean, say, show_json, show_table
from standfast_client import MemoryRecord

COLUMNS = ("RECORD", "NAMESPACE", "SAVED", "QUARANTINE", "LABELS", "TEXT")
TEXT_SHOWN = 60
RecordArgument = Annotated[str, typer.Argument(metavar="RECORD", help="Its id (mem_…).")]
Namespace = Annotated[str | None, typer.Option(help="Only this namespace.")]
Quarantined = Annotated[bool, typer.Option("--quarantined", help="Only what is kept from being recalled.")]
Limit = Annotated[int, typer.Option(help="At most so many.", min=1)]


def memories(
    ctx: typer.Context, *, namespace: Namespace = None, quarantined: Quarantined = False, limit: Limit = 50, json_output: JsonOption = False
) -> None:
    """List what agents saved."""
    if ctx.invoked_subcommand is None:
        list_memories(ctx, namespace=namespace, quarantined=quarantined, limit=limit, json_output=json_output)


def list_memories(
    ctx: typer.Context, *, namespace: Namespace = None, quarantined: Quarantined = False, limit: Limit = 50, json_output: JsonOption = False
) -> None:
    """List what agents saved."""
    listed = open_client(ctx).memory.list(namespace=namespace, quarantined=quarantined, limit=limit)
    if json_output:
        show_json(listed)
    else:
        show_table(COLUMNS, [_row(each) for each in listed], nothing="nothing is remembered")


def quarantine(ctx: typer.Context, record: RecordArgument, *, json_output: JsonOption = False) -> None:
    """Keep a record from being recalled."""
    _show(open_client(ctx).memory.quarantine(record), json_output=json_output)


def release(ctx: typer.Context, record: RecordArgument, *, json_output: JsonOption = False) -> None:
    """Let a record be recalled, after a look at it."""
    _show(open_client(ctx).memory.release(record), json_output=json_output)


def forget(ctx: typer.Context, record: RecordArgument, *, json_output: JsonOption = False) -> None:
    """Remove a record for good."""
    open_client(ctx).memory.forget(record)
    show_json({"record": record, "forgotten": True}) if json_output else say(f"{clean(record)} is forgotten")


def _show(record: MemoryRecord, *, json_output: bool) -> None:
    if json_output:
        show_json(record)
    else:
        show_table(COLUMNS, [_row(record)], nothing="")


def _row(record: MemoryRecord) -> list[str]:
    text = clean(record.text.replace("\n", " "))
    shown = text if len(text) <= TEXT_SHOWN else text[: TEXT_SHOWN - 1] + "…"
    return [record.record, clean(record.namespace), record.saved_at[:19], record.quarantine or "", " ".join(record.labels), shown]
