"""`agents` and `prompts`: what is registered, and who moves a version to which status."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli import agent_views as shown
from cli.commands.runs import JsonOption
from cli.connection import open_client
from cli.inputs import read_text
from cli.screen import clean, say, show_fields, show_json, show_table

Name = Annotated[str, typer.Argument(metavar="NAME", help="An agent's name.")]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="Its version, such as 1.0.0.")]
Comment = Annotated[str, typer.Option("-m", "--comment", help="Why; kept with the move.")]
Range = Annotated[str | None, typer.Option(help="A version or a range, such as ^1; else the highest.")]
Status = Literal["draft", "review", "approved", "deprecated", "retired"]


def agents(
    ctx: typer.Context,
    *,
    status: Annotated[Status | None, typer.Option(help="Only versions in this status.")] = None,
    json_output: JsonOption = False,
) -> None:
    """List the registered agents."""
    if ctx.invoked_subcommand is not None:
        return
    found = open_client(ctx).agents.list(status=status)
    if json_output:
        show_json(found)
    else:
        nothing = "no agents; `standfast agents register DIR` adds some"
        show_table(shown.AGENT_COLUMNS, [shown.agent_row(agent) for agent in found], nothing=nothing)


def show(ctx: typer.Context, name: Name, *, version: Range = None, json_output: JsonOption = False) -> None:
    """Show an agent: what it says, where it stands, and who brought it there."""
    agent = open_client(ctx).agents.get(name, version)
    if json_output:
        show_json(agent)
    else:
        show_fields(shown.agent_fields(agent))


def register(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="DIR", help="A folder with agents, prompts and schemas, or one YAML file.")],
    *,
    owner: Annotated[str | None, typer.Option(help="The principal who answers for them; else you.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Register the agents of a bundle as drafts, with the prompts they name; the same content again changes nothing."""
    made = open_client(ctx).agents.register(path, owner=owner)
    if json_output:
        show_json(made)
        return
    show_table(shown.AGENT_COLUMNS, [shown.agent_row(agent) for agent in made.agents], nothing="nothing was registered")
    for prompt in made.prompts:
        say(clean(f"prompt {prompt.name} {prompt.version} {prompt.sha256[:12]}"))


def review(ctx: typer.Context, name: Name, version: Version, *, comment: Comment = "", json_output: JsonOption = False) -> None:
    """Ask for the approval of a draft."""
    _move(ctx, name, version, "review", comment, json_output=json_output)


def approve(ctx: typer.Context, name: Name, version: Version, *, comment: Comment = "", json_output: JsonOption = False) -> None:
    """Approve a version that somebody else owns and registered: from now on, runs may begin to use it."""
    _move(ctx, name, version, "approved", comment, json_output=json_output)


def reject(ctx: typer.Context, name: Name, version: Version, *, comment: Comment = "", json_output: JsonOption = False) -> None:
    """Give a version in review back to its owner."""
    _move(ctx, name, version, "draft", comment, json_output=json_output)


def deprecate(ctx: typer.Context, name: Name, version: Version, *, comment: Comment = "", json_output: JsonOption = False) -> None:
    """Let no more runs begin to use a version; those that do go on."""
    _move(ctx, name, version, "deprecated", comment, json_output=json_output)


def retire(ctx: typer.Context, name: Name, version: Version, *, comment: Comment = "", json_output: JsonOption = False) -> None:
    """Take a version out of use for good: workers refuse it from now on, in runs that are under way too."""
    _move(ctx, name, version, "retired", comment, json_output=json_output)


def _move(ctx: typer.Context, name: str, version: str, status: str, comment: str, *, json_output: bool) -> None:
    agent = open_client(ctx).agents.move(name, version, status, comment=comment)
    show_json(agent) if json_output else say(clean(f"{agent.name} {agent.version} is {agent.status}"))


def prompts(ctx: typer.Context, *, json_output: JsonOption = False) -> None:
    """List the registered prompts."""
    if ctx.invoked_subcommand is not None:
        return
    found = open_client(ctx).prompts.list()
    if json_output:
        show_json(found)
    else:
        show_table(shown.PROMPT_COLUMNS, [shown.prompt_row(prompt) for prompt in found], nothing="no prompts")


def show_prompt(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A prompt's name.")],
    *,
    version: Range = None,
    json_output: JsonOption = False,
) -> None:
    """Show a prompt's text."""
    prompt = open_client(ctx).prompts.get(name, version)
    if json_output:
        show_json(prompt)
    else:
        for line in prompt.text.splitlines():
            say(clean(line))


def register_prompt(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The prompt's name.")],
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Its version, such as 1.0.0.")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="Its text; - for standard input.")],
    *,
    json_output: JsonOption = False,
) -> None:
    """Register a prompt; the same text again changes nothing."""
    prompt = open_client(ctx).prompts.register(name, version, read_text(file, "FILE"))
    if json_output:
        show_json(prompt)
    else:
        say(clean(f"{prompt.name} {prompt.version} {prompt.sha256}"))
