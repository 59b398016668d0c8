"""`hooks`: senders whose webhooks start runs or become signals; `signal` sends a run one by hand."""

from pathlib import Path
from typing import Annotated

import typer

from cli.commands.runs import JsonOption, RunArgument
from cli.connection import open_client
from cli.hook_views import HOOK_COLUMNS, REQUEST_COLUMNS, hook_fields, hook_row, request_row
from cli.inputs import read_json, read_object
from cli.screen import note, say, show_fields, show_json, show_table
from standfast_client import Hook, Standfast
from standfast_client.models import JsonInput

HookArgument = Annotated[str, typer.Argument(metavar="HOOK", help="Its id: hok_ and 26 characters.")]
WhenOption = Annotated[str | None, typer.Option(help="A condition, such as '${ input.type == \"push\" }'; other requests are ignored.")]
RateOption = Annotated[int | None, typer.Option(help="Most requests a minute.", min=1)]
ActionOption = Annotated[
    str | None, typer.Option(help="What requests do, as a file or a JSON object; instead of --start, --signal and their options.")
]
Limit = Annotated[int, typer.Option(help="At most so many.", min=1)]


def hooks(ctx: typer.Context, *, limit: Limit = 50, json_output: JsonOption = False) -> None:
    """List senders."""
    if ctx.invoked_subcommand is not None:
        return
    listed = open_client(ctx).hooks.list(limit=limit)
    if json_output:
        show_json(listed)
    else:
        show_table(HOOK_COLUMNS, [hook_row(each) for each in listed], nothing="no hook")


def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What you call it: lower-case words joined by -.")],
    *,
    scheme: Annotated[str, typer.Option(help="How it signs: standard-webhooks, github, stripe or slack.")] = "standard-webhooks",
    start: Annotated[str | None, typer.Option(help="Start runs of this definition, NAME or NAME@RANGE.")] = None,
    input: Annotated[str | None, typer.Option(help="Their input, as a file or JSON with ${ }; the whole body when left out.")] = None,  # noqa: A002 - the option's name
    signal: Annotated[str | None, typer.Option(help="Send this signal to a run.")] = None,
    correlate: Annotated[str | None, typer.Option(help="To the run that listens with this, such as '${ input.body.claim }'.")] = None,
    run: Annotated[str | None, typer.Option(help="To the run of this id, such as '${ input.body.run }'.")] = None,
    payload: Annotated[
        str | None, typer.Option(help="The signal's payload, as a file or JSON with ${ }; the whole body when left out.")
    ] = None,
    action: ActionOption = None,
    when: WhenOption = None,
    rate: RateOption = None,
    secret: Annotated[
        str | None, typer.Option(help="The secret your sender gave you: a file, or - to type it; one is made when left out.")
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Register a sender; its address, and its secret if one is made, are shown now."""
    made = _action(start=start, input_text=input, signal=signal, correlate=correlate, run=run, payload=payload, action=action)
    client = open_client(ctx)
    hook = client.hooks.create(name, scheme, made, secret=_secret(secret), when=when, rate_per_minute=rate)
    _show(client, hook, json_output=json_output)


def show(ctx: typer.Context, hook: HookArgument, *, json_output: JsonOption = False) -> None:
    """Show one sender."""
    client = open_client(ctx)
    _show(client, client.hooks.get(hook), json_output=json_output)


def change(
    ctx: typer.Context,
    hook: HookArgument,
    *,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    action: ActionOption = None,
    when: WhenOption = None,
    rate: RateOption = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether its address takes requests.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Change what is given of a sender; the rest stays."""
    client = open_client(ctx)
    wanted = None if action is None else read_object(action, "--action")
    changed = client.hooks.change(hook, name=name, action=wanted, when=when, rate_per_minute=rate, enabled=enabled)
    _show(client, changed, json_output=json_output)


def remove(ctx: typer.Context, hook: HookArgument, *, json_output: JsonOption = False) -> None:
    """Take a sender away for good; what it has started goes on."""
    removed = open_client(ctx).hooks.remove(hook)
    show_json(removed) if json_output else say(f"{removed.hook}: removed; its address answers 404")


def rotate(
    ctx: typer.Context,
    hook: HookArgument,
    *,
    keep: Annotated[int, typer.Option(help="Seconds that the secrets before it stay valid; 0 ends them at once.", min=0)] = 86_400,
    secret: Annotated[str | None, typer.Option(help="The new secret your sender gave you: a file, or - to type it.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Add a secret; the old ones are taken for a while longer."""
    client = open_client(ctx)
    _show(client, client.hooks.rotate(hook, secret=_secret(secret), keep_s=keep), json_output=json_output)


def requests(ctx: typer.Context, hook: HookArgument, *, limit: Limit = 50, json_output: JsonOption = False) -> None:
    """List what a sender sent, the newest first."""
    listed = open_client(ctx).hooks.requests(hook, limit=limit)
    if json_output:
        show_json(listed)
    else:
        show_table(REQUEST_COLUMNS, [request_row(each) for each in listed], nothing="no request")


def signal(
    ctx: typer.Context,
    run: RunArgument,
    name: Annotated[str, typer.Argument(metavar="SIGNAL", help="The name that a step listens for.")],
    *,
    payload: Annotated[str | None, typer.Option(help="What it says, as a file, JSON text or - for standard input.")] = None,
    correlate: Annotated[
        str | None, typer.Option(help="What the step's `correlate` must equal; any step of that name when left out.")
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Send a run a signal; one that comes too early is kept for its step."""
    given: JsonInput = None if payload is None else read_json(payload, "--payload")
    sent = open_client(ctx).runs.handle(run).signal(name, given, key=correlate)
    show_json(sent) if json_output else say(f"{sent.run}: was sent {sent.signal} ({sent.id})")


def _show(client: Standfast, hook: Hook, *, json_output: bool) -> None:
    if json_output:
        show_json(hook)
        return
    show_fields(hook_fields(hook, gateway=client.connection.url))
    if hook.secret is not None:
        say(f"secret  {hook.secret}")
        note("this is shown once: give it to the sender now")


def _action(
    *,
    start: str | None,
    input_text: str | None,
    signal: str | None,
    correlate: str | None,
    run: str | None,
    payload: str | None,
    action: str | None,
) -> dict[str, JsonInput]:
    """Return the action that the options say.

    Raises:
        typer.BadParameter: none or several of --start, --signal and --action.
    """
    if sum(option is not None for option in (start, signal, action)) != 1:
        raise typer.BadParameter("give one of --start DEFINITION, --signal NAME and --action JSON")
    if action is not None:
        return {**read_object(action, "--action")}
    made: dict[str, JsonInput] = {"kind": "start", "definition": start} if start is not None else {"kind": "signal", "signal": signal}
    if input_text is not None:
        made["input"] = read_json(input_text, "--input")
    if payload is not None:
        made["payload"] = read_json(payload, "--payload")
    return made | {name: value for name, value in (("correlate", correlate), ("run", run)) if value is not None}


def _secret(given: str | None) -> str | None:
    """Return a secret, which stands on no command line: others see those.

    Raises:
        typer.BadParameter: the file cannot be read.
    """
    if given is None:
        return None
    if given == "-":
        return str(typer.prompt("secret", hide_input=True, err=True))
    try:
        return Path(given).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"--secret: {given} cannot be read: {error}; give a file, or - to type it") from error
