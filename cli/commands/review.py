"""`review amend ask answer extend delegate withdraw`: what can be said to an approval beside yes and no."""

import json
from typing import Annotated

import typer
from pydantic import JsonValue

from cli import views
from cli.commands.approvals import Comment, Digest, Target, approval_of
from cli.commands.runs import JsonOption
from cli.connection import REVIEWER_ROLE, open_client
from cli.screen import clean, say, show_json
from standfast_client import Approval, InvalidInputError, Standfast

Said = Annotated[str, typer.Argument(help="The question, or the answer.")]
Set = Annotated[list[str], typer.Option("--set", help="A new argument, as step.name=value; the value is JSON, or else text.")]
OPERATOR_ROLE = "operator"
"""Whose key of the local stack speaks for the requester."""


def amend(
    ctx: typer.Context, target: Target, *, changes: Set, comment: Comment = "", digest: Digest = None, json_output: JsonOption = False
) -> None:
    """Change arguments of the calls that will run; what was approved before counts no more.

    Raises:
        InvalidInputError: A change is not written as step.name=value, or names no bound call.
    """
    client, approval = _found(ctx, target, REVIEWER_ROLE)
    arguments: dict[str, JsonValue] = {}
    for change in changes:
        step, name, value = _change(change, approval)
        known = arguments.setdefault(step, {})
        if isinstance(known, dict):
            known[name] = value
    _tell(client, approval, "amend", comment, {"arguments": arguments}, digest=digest, json_output=json_output)


def _change(text: str, approval: Approval) -> tuple[str, str, JsonValue]:
    """Return step, argument and value of `step.name=value`.

    Raises:
        InvalidInputError: It is not written so, or the approval binds no such step.
    """
    place, sign, value = text.partition("=")
    step, dot, name = place.rpartition(".")
    if not sign or not dot or step not in [call.step for call in approval.calls]:
        bound = ", ".join(call.step for call in approval.calls) or "none"
        raise InvalidInputError(f"write step.name=value, with a step of this approval ({bound})", status=422, code="invalid-input")
    try:
        return step, name, json.loads(value)
    except ValueError:
        return step, name, value


def ask(ctx: typer.Context, target: Target, question: Said, *, digest: Digest = None, json_output: JsonOption = False) -> None:
    """Ask whoever started the run for more information; the clock stands until it comes."""
    client, approval = _found(ctx, target, REVIEWER_ROLE)
    _tell(client, approval, "request_info", question, {}, digest=digest, json_output=json_output)


def answer(ctx: typer.Context, target: Target, text: Said, *, digest: Digest = None, json_output: JsonOption = False) -> None:
    """Answer a reviewer's question, as the one who started the run or as an operator; the clock goes on."""
    client, approval = _found(ctx, target, OPERATOR_ROLE)
    _tell(client, approval, "give_info", text, {}, digest=digest, json_output=json_output)


def extend(
    ctx: typer.Context,
    target: Target,
    deadline: Annotated[str, typer.Argument(help="The new deadline, RFC 3339 with its offset: 2026-03-02T17:00:00+01:00.")],
    *,
    comment: Comment = "",
    digest: Digest = None,
    json_output: JsonOption = False,
) -> None:
    """Give reviewers more time, as an operator or a lead of the ladder."""
    client, approval = _found(ctx, target, OPERATOR_ROLE)
    _tell(client, approval, "extend", comment, {"deadline": deadline}, digest=digest, json_output=json_output)


def delegate(
    ctx: typer.Context,
    target: Target,
    to: Annotated[str, typer.Argument(help="The principal who shall decide in your place.")],
    *,
    starts: Annotated[str | None, typer.Option("--from", help="From when, RFC 3339 with its offset; now if left out.")] = None,
    ends: Annotated[str | None, typer.Option("--until", help="Until when; to the approval's end if left out.")] = None,
    comment: Comment = "",
    digest: Digest = None,
    json_output: JsonOption = False,
) -> None:
    """Hand your vote to somebody else."""
    client, approval = _found(ctx, target, REVIEWER_ROLE)
    _tell(client, approval, "delegate", comment, {"to": to, "starts": starts, "ends": ends}, digest=digest, json_output=json_output)


def withdraw(ctx: typer.Context, target: Target, *, comment: Comment = "", digest: Digest = None, json_output: JsonOption = False) -> None:
    """Take the question back, as the one who started the run or as an operator; the step fails."""
    client, approval = _found(ctx, target, OPERATOR_ROLE)
    _tell(client, approval, "withdraw", comment, {}, digest=digest, json_output=json_output)


def _found(ctx: typer.Context, target: str, role: str) -> tuple[Standfast, Approval]:
    client = open_client(ctx, default_role=role)
    return client, approval_of(client, target)


def _tell(
    client: Standfast,
    approval: Approval,
    verdict: str,
    comment: str,
    content: dict[str, JsonValue],
    *,
    digest: str | None,
    json_output: bool,
) -> None:
    decision = client.approvals.say(approval, verdict, comment=comment, content=dict(content), digest=digest)
    if json_output:
        show_json(decision)
        return
    say(clean(f"{verdict}: {approval.title}"))
    if verdict == "amend":
        for call in client.approvals.get(approval.approval).calls:
            say(clean(f"  {call.step}: {call.tool} {views.compact(dict(call.arguments))}"))
    say(clean(f"{decision.state}: {decision.detail or decision.decision_id}"))
