"""`approvals`, `approvals show assign audit`: the inbox, one approval with what is behind it, and who approved exactly what."""

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Protocol, cast

import typer
from pydantic import JsonValue

from cli import inbox_views, views
from cli.commands.approvals import Target, approval_of
from cli.commands.ledgers import HeadOption, TrustOption
from cli.commands.runs import JsonOption
from cli.connection import REVIEWER_ROLE, open_client
from cli.exit_codes import ExitCode
from cli.late import load
from cli.screen import clean, note, say, show_fields, show_json, show_table
from standfast_client import ApprovalDetail, NotFoundError, Standfast

_APPROVALS_MAX = 100_000
"""Most approvals that an audit shows."""


Audited = Annotated[
    str | None,
    typer.Argument(metavar="[RUN_OR_APPROVAL]", help="A run, or one approval; without it all of the tenant's, for auditors and admins."),
]


AUDITOR_ROLE = "auditor"
"""Whose key of `dev.json` reads a tenant's whole ledger when nobody is named."""


class Order(StrEnum):
    """How the inbox is sorted."""

    DEADLINE = "deadline"
    OPENED = "opened"


class Audit(Protocol):
    """What the audit found."""

    @property
    def problems(self) -> list[str]:
        """What is wrong."""
        ...


class AuditModule(Protocol):
    """What `cli.approval_audit` has."""

    UnreadableEvidence: type[Exception]

    def known(self, trust: list[Path], heads: list[Path]) -> object:
        """Read files of keys and heads."""
        ...

    def audit_of(
        self, content: bytes, run: str | None, approvals: list[ApprovalDetail], given: object, *, is_gone: Callable[[str], bool] | None
    ) -> Audit:
        """Join approvals to evidence."""
        ...

    def to_json(self, audit: Audit) -> dict[str, JsonValue]:
        """Return it for programs."""
        ...

    def lines(self, audit: Audit) -> list[str]:
        """Return what the screen says."""
        ...


def approvals(
    ctx: typer.Context,
    *,
    state: Annotated[str, typer.Option(help="open, approved, rejected, timed_out, withdrawn, or all.")] = "open",
    mine: Annotated[bool, typer.Option("--mine", help="Only what you may decide now, also as a substitute.")] = False,
    decided: Annotated[bool, typer.Option("--decided", help="Only what you decided, in any state.")] = False,
    role: Annotated[str | None, typer.Option("--reviewers", help="Only what asks this reviewer role.")] = None,
    definition: Annotated[str | None, typer.Option(help="Only of this definition.")] = None,
    run: Annotated[str | None, typer.Option(help="Only of this run.")] = None,
    tool: Annotated[str | None, typer.Option(help="Only where a bound call uses this tool.")] = None,
    assignee: Annotated[str | None, typer.Option(help="Only what is assigned to this principal, or to me.")] = None,
    requester: Annotated[str | None, typer.Option(help="Only what this principal asked for, or me.")] = None,
    before: Annotated[str | None, typer.Option(help="Only with a deadline before this instant.")] = None,
    order: Annotated[Order, typer.Option(help="Earliest deadline, or latest opened first.")] = Order.DEADLINE,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 50,
    json_output: JsonOption = False,
) -> None:
    """Show the inbox, or one approval with the calls that will run."""
    if ctx.invoked_subcommand is not None:
        return
    listed = open_client(ctx, default_role=REVIEWER_ROLE).approvals.list(
        state=None if decided or state == "all" else state,
        mine=mine,
        role=role,
        definition=definition,
        run=run,
        tool=tool,
        assignee=assignee,
        requester=requester,
        decided_by="me" if decided else None,
        deadline_before=before,
        order=order.value,
        limit=limit,
    )
    if json_output:
        show_json(listed)
    else:
        show_table(views.APPROVAL_COLUMNS, [views.approval_row(each) for each in listed], nothing="no approvals")


def show(ctx: typer.Context, target: Target, *, json_output: JsonOption = False) -> None:
    """Show an approval: the calls that will run, where their values come from, and what is behind it."""
    client = open_client(ctx, default_role=REVIEWER_ROLE)
    found = client.approvals.get(approval_of(client, target).approval)
    show_json(found) if json_output else show_fields([*views.approval_fields(found), *inbox_views.behind_fields(found)])


def assign(
    ctx: typer.Context,
    target: Target,
    assignee: Annotated[str, typer.Argument(help="Whom to assign it to.")] = "me",
    *,
    release: Annotated[bool, typer.Option("--release", help="Assign it to nobody.")] = False,
    take_over: Annotated[bool, typer.Option("--take-over", help="Take it from somebody who has it.")] = False,
    json_output: JsonOption = False,
) -> None:
    """Claim an approval, assign it, or release it: a hint to colleagues that gives no authority."""
    client = open_client(ctx, default_role=REVIEWER_ROLE)
    found = client.approvals.assign(approval_of(client, target), None if release else assignee, take_over=take_over)
    if json_output:
        show_json(found)
    else:
        say(clean(f"{found.approval}: {f'assigned to {found.assignee}' if found.assignee else 'assigned to nobody'}"))


def audit(
    ctx: typer.Context, target: Audited = None, *, trust: TrustOption = None, head: HeadOption = None, json_output: JsonOption = False
) -> None:
    """Say who approved exactly what: decisions, digests, calls and what ran, each with its proof in the signed log, checked here.

    Raises:
        typer.Exit: With code 5 when something is wrong, 2 when a file cannot be read.
    """
    client = open_client(ctx, default_role=REVIEWER_ROLE if target else AUDITOR_ROLE)
    checker = cast("AuditModule", load("cli.approval_audit"))
    run, rows = _audited(client, target)
    is_gone = partial(_is_gone, client) if target in (None, run) else None
    try:
        found = checker.audit_of(client.ledger.bundle(run), run, rows, checker.known(trust or [], head or []), is_gone=is_gone)
    except checker.UnreadableEvidence as error:
        note(clean(f"error: {error}"))
        raise typer.Exit(ExitCode.USAGE) from error
    if json_output:
        show_json(checker.to_json(found))
    else:
        for line in checker.lines(found):
            say(clean(line))
    if found.problems:
        raise typer.Exit(ExitCode.NOT_VERIFIED)


def _audited(client: Standfast, target: str | None) -> tuple[str | None, list[ApprovalDetail]]:
    """Return the run, None for the whole tenant, and the approvals to show: one, all of a run, or all."""
    if target is not None and not target.startswith("run_"):
        found = client.approvals.get(target)
        return found.run, [found]
    run = None if target is None else client.runs.get(target).run
    listed = client.approvals.list(state=None, run=run, limit=_APPROVALS_MAX)
    ordered = sorted(listed, key=lambda each: (each.opened_at, each.approval))
    return run, [client.approvals.get(each.approval) for each in ordered]


def _is_gone(client: Standfast, approval: str) -> bool:
    try:
        client.approvals.get(approval)
    except NotFoundError:
        return True
    return False
