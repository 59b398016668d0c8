"""`approve reject`."""

from typing import Annotated

import typer

from cli import views
from cli.commands.runs import JsonOption
from cli.connection import REVIEWER_ROLE, open_client
from cli.screen import clean, say, show_json
from standfast_client import Approval, ConflictError, NotFoundError, Standfast

Target = Annotated[str, typer.Argument(metavar="RUN_OR_APPROVAL", help="An approval's id, or the run that waits for it.")]
Comment = Annotated[str, typer.Option("--comment", "-m", help="Why; it is kept with the decision.")]
Digest = Annotated[str | None, typer.Option(help="Decide only if the approval still has this digest.")]


def approve(ctx: typer.Context, target: Target, *, comment: Comment = "", digest: Digest = None, json_output: JsonOption = False) -> None:
    """Approve exactly the calls of an approval."""
    _decide(ctx, target, "approve", comment=comment, digest=digest, json_output=json_output)


def reject(ctx: typer.Context, target: Target, *, comment: Comment = "", digest: Digest = None, json_output: JsonOption = False) -> None:
    """Reject an approval."""
    _decide(ctx, target, "reject", comment=comment, digest=digest, json_output=json_output)


def _decide(ctx: typer.Context, target: str, verdict: str, *, comment: str, digest: str | None, json_output: bool) -> None:
    client = open_client(ctx, default_role=REVIEWER_ROLE)
    approval = approval_of(client, target)
    answer = client.approvals.approve if verdict == "approve" else client.approvals.reject
    decision = answer(approval, comment=comment, digest=digest)
    if json_output:
        show_json(decision)
        return
    say(clean(f"{verdict}: {approval.title}"))
    for call in approval.calls:
        say(clean(f"  {call.step}: {call.tool} {views.compact(dict(call.arguments))}"))
    say(clean(f"{decision.state}: {decision.detail or decision.decision_id}"))


def approval_of(client: Standfast, target: str) -> Approval:
    """Return the approval with this id, or the one open approval of a run.

    Raises:
        NotFoundError: The run waits for no approval.
        ConflictError: It waits for several.
    """
    if not target.startswith("run_"):
        return client.approvals.get(target)
    waiting = client.approvals.list(run=target)
    if len(waiting) == 1:
        return waiting[0]
    if waiting:
        ids = ", ".join(each.approval for each in waiting)
        raise ConflictError(f"run {target} waits for several approvals; name one of {ids}", status=409, code="several-approvals")
    run = client.runs.get(target)
    raise NotFoundError(f"run {target} waits for no approval; it is {run.status}", status=404, code="not-found")
