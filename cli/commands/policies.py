"""`policy`: a tenant's policy sets, their tests, and what they say of a call."""

from pathlib import Path
from typing import Annotated, cast

import typer
from pydantic import JsonValue

from cli.commands.runs import JsonOption
from cli.connection import open_client
from cli.inputs import read_json, read_object, read_text
from cli.options import PolicyTestOptions
from cli.screen import clean, say, show_fields, show_json, show_table
from cli.starting import run_and_leave
from standfast_client import PolicySet

COLUMNS = ("VERSION", "ACTIVE", "EXTENDS", "REGISTERED", "SHA-256", "COMMENT")
VersionArgument = Annotated[str, typer.Argument(metavar="VERSION", help="Such as 1.2.0; shipped is the set that comes with the platform.")]


def policies(ctx: typer.Context, *, json_output: JsonOption = False) -> None:
    """List the tenant's policy sets, and which of them decides."""
    if ctx.invoked_subcommand is None:
        list_sets(ctx, json_output=json_output)


def list_sets(ctx: typer.Context, *, json_output: JsonOption = False) -> None:
    """List the tenant's policy sets, and which of them decides."""
    found = open_client(ctx).policies.list()
    if json_output:
        show_json(found)
        return
    show_table(COLUMNS, [_row(each) for each in found.items], nothing="no policy sets of its own")
    say(clean(f"{found.deciding} decides, sha256 {found.sha256}"))


def show(ctx: typer.Context, version: VersionArgument, *, json_output: JsonOption = False) -> None:
    """Show a policy set with its whole text."""
    found = open_client(ctx).policies.get(version)
    show_json(found) if json_output else say(clean(found.text))


def register(
    ctx: typer.Context,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Three numbers, such as 1.2.0; a version never changes.")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="A Cedar file, or -.")],
    *,
    extends: Annotated[str | None, typer.Option(help="Keep the policies of this shipped set, such as 1.0.0, and add these.")] = None,
    comment: Annotated[str, typer.Option(help="What changed.")] = "",
    tests: Annotated[str | None, typer.Option(help="Tests that must pass, as JSON: a list of {name, call, expect}; a file, or -.")] = None,
    activate: Annotated[bool, typer.Option("--activate", help="Let it decide from now on.")] = False,
    json_output: JsonOption = False,
) -> None:
    """Register a version of the tenant's policies.

    Raises:
        typer.BadParameter: The tests are no list.
    """
    cases = [] if tests is None else read_json(tests, "--tests")
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        raise typer.BadParameter("--tests: a list of {name, call, expect} is needed")
    told = cast("list[dict[str, JsonValue]]", cases)
    stored = open_client(ctx).policies.register(
        version, read_text(file, "FILE"), extends=extends, comment=comment, tests=told, activate=activate
    )
    show_json(stored) if json_output else show_table(COLUMNS, [_row(stored)], nothing="")


def activate(ctx: typer.Context, version: VersionArgument, *, json_output: JsonOption = False) -> None:
    """Let a policy set decide from now on, an older one too."""
    found = open_client(ctx).policies.activate(version)
    show_json(found) if json_output else say(clean(f"{found.deciding} decides, sha256 {found.sha256}"))


def explain(
    ctx: typer.Context,
    call: Annotated[
        str, typer.Argument(metavar="CALL", help='The call as JSON, such as {"tool": "bank.pay", "effect_class": "money"}; a file, or -.')
    ],
    *,
    version: Annotated[str | None, typer.Option(help="Ask this set, or shipped, instead of the one that decides.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Say what policy says of a call, and which policies decide; nothing is called."""
    verdict = open_client(ctx).policies.explain(read_object(call, "CALL"), version=version)
    if json_output:
        show_json(verdict)
        return
    told = [("verdict", verdict.effect), ("because", verdict.reason), ("by", ", ".join(verdict.policies) or "no policy")]
    told += [("reviewers", ", ".join(verdict.reviewers))] if verdict.reviewers else []
    told += [("chosen by an untrusted source", ", ".join(verdict.steered))] if verdict.steered else []
    show_fields([*told, ("sha256", verdict.policy_sha256)])


def play_tests(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A YAML file with `policies`, `extends` and `tests`.")],
    *,
    json_output: JsonOption = False,
) -> None:
    """Play a file of tests against policies, on this machine alone; code 1 when one fails."""
    run_and_leave("policy_test", PolicyTestOptions(path=path, json_output=json_output))


def _row(each: PolicySet) -> tuple[str, ...]:
    return (each.version, "yes" if each.active else "", each.extends or "", each.created_at[:16], each.sha256[:12], each.comment)
