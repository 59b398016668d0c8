"""`mcp`: servers whose tools runs may use, and Standfast itself as a server."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import JsonValue

from cli.commands.runs import JsonOption
from cli.connection import open_client
from cli.exit_codes import ExitCode
from cli.late import load
from cli.mcp_views import SERVER_COLUMNS, TOOL_COLUMNS, server_fields, server_row, tool_row, tool_text
from cli.screen import clean, note, say, show_fields, show_json, show_table
from standfast_client import McpServer, McpTool

ServerArgument = Annotated[str, typer.Argument(metavar="SERVER", help="Its name.")]
ToolArgument = Annotated[str, typer.Argument(metavar="TOOL", help="Its name: mcp.SERVER.TOOL, or what follows the server.")]
PairOption = Annotated[list[str] | None, typer.Option(help="NAME=SECRET; the secret's name, never its value. May be given often.")]
Limit = Annotated[int, typer.Option(help="At most so many.", min=1)]
NamesOption = Annotated[list[str] | None, typer.Option(help="An argument's name, dotted where it lies deeper. May be given often.")]


def servers(ctx: typer.Context, *, limit: Limit = 50, json_output: JsonOption = False) -> None:
    """List MCP servers."""
    if ctx.invoked_subcommand is None:
        list_servers(ctx, limit=limit, json_output=json_output)


def list_servers(ctx: typer.Context, *, limit: Limit = 50, json_output: JsonOption = False) -> None:
    """List MCP servers."""
    listed = open_client(ctx).mcp_servers.list(limit=limit)
    if json_output:
        show_json(listed)
    else:
        show_table(SERVER_COLUMNS, [server_row(each) for each in listed], nothing="no MCP server")


def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="SERVER", help="What you call it: lower-case letters, digits, underscores.")],
    command: Annotated[list[str] | None, typer.Argument(metavar="[COMMAND]...", help="After --: what starts it, in a sandbox.")] = None,
    *,
    endpoint: Annotated[str | None, typer.Option(help="Or its https URL (streamable HTTP).")] = None,
    header: PairOption = None,
    env: PairOption = None,
    file: Annotated[list[Path] | None, typer.Option(help="A file that stands beside the command. May be given often.")] = None,
    sandbox: Annotated[str, typer.Option(help="The sandbox profile of the command.")] = "mcp-server",
    oauth: Annotated[bool, typer.Option("--oauth", help="It wants an authorization by OAuth: `standfast mcp authorize`.")] = False,
    client_id: Annotated[str | None, typer.Option(help="Our client_id there; without it Standfast registers itself.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="A scope to ask for. May be given often.")] = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    json_output: JsonOption = False,
) -> None:
    """Register an MCP server; nothing of it can be called before a person approved it, tool by tool.

    Raises:
        typer.BadParameter: Neither or both of a URL and a command are given.
    """
    if (endpoint is None) == (not command):
        raise typer.BadParameter("give --endpoint URL, or -- and the command that starts the server")
    body: dict[str, JsonValue] = {"name": name, "transport": "stdio" if endpoint is None else "http", "description": description}
    if endpoint is not None:
        body |= {"url": endpoint, "headers": {**_pairs(header, "--header")}}
        body |= {"oauth": {"client_id": client_id, "scopes": list(scope or [])}} if oauth or client_id else {}
    else:
        texts: dict[str, JsonValue] = {each.name: each.read_text(encoding="utf-8") for each in file or []}
        body |= {"command": list(command or []), "files": texts, "environment": {**_pairs(env, "--env")}, "sandbox": sandbox}
    _show(open_client(ctx).mcp_servers.add(body), json_output=json_output)
    note(f"next: `standfast mcp check {name}`, and approve what you want to use")


def show(ctx: typer.Context, server: ServerArgument, tool: ToolArgument = "", *, json_output: JsonOption = False) -> None:
    """Show a server and its tools, or one tool as its server describes it."""
    found = open_client(ctx).mcp_servers.get(server)
    if not tool:
        _show(found, json_output=json_output)
    elif json_output:
        show_json(_tool(found, tool))
    else:
        _read(_tool(found, tool))


def check(ctx: typer.Context, server: ServerArgument, *, json_output: JsonOption = False) -> None:
    """Ask a server for its tools now; an approved tool that changed is quarantined."""
    _show(open_client(ctx).mcp_servers.check(server), json_output=json_output)


def approve(
    ctx: typer.Context,
    server: ServerArgument,
    tool: ToolArgument,
    *,
    effect: Annotated[str, typer.Option(help="What a call does: none, read, write or money.")],
    pin: Annotated[str | None, typer.Option(help="The pin of what you read; without it the tool is shown, and you are asked.")] = None,
    retry: Annotated[str | None, typer.Option(help="idempotent or at_most_once; by default what suits the effect.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds of one attempt.", min=1)] = 60.0,
    url_argument: NamesOption = None,
    sensitive_argument: NamesOption = None,
    bindable: NamesOption = None,
    json_output: JsonOption = False,
) -> None:
    """Approve a tool exactly as you read it; it can be called from now on, until it changes.

    Raises:
        typer.BadParameter: The server does not list it now.
        typer.Abort: You said no.
    """
    client = open_client(ctx, default_role="admin")
    found = _tool(client.mcp_servers.get(server), tool)
    if found.pin is None:
        raise typer.BadParameter(f"{found.name} is not listed by its server now")
    if pin is None:
        _read(found)
        typer.confirm(f"approve {found.name} as {effect}?", abort=True, err=True)
    given: dict[str, JsonValue] = {"tool": found.name, "pin": pin or found.pin, "effect_class": effect, "timeout_s": timeout}
    given |= {"retry_class": retry} if retry is not None else {}
    lists = {"url_arguments": url_argument, "sensitive_arguments": sensitive_argument, "bindable": bindable}
    given |= {name: list(names) for name, names in lists.items() if names}
    approved = client.mcp_servers.approve(server, given)
    if json_output:
        show_json(approved)
    else:
        say(f"{approved.name} may be called as {effect}, in version {approved.approved.version if approved.approved else ''}")


def quarantine(
    ctx: typer.Context,
    server: ServerArgument,
    tool: ToolArgument,
    *,
    reason: Annotated[str, typer.Option(help="Why; it is shown to people.")],
    json_output: JsonOption = False,
) -> None:
    """Hold a tool back from its next call on, until it is approved anew."""
    client = open_client(ctx, default_role="admin")
    held = client.mcp_servers.quarantine(server, _name(server, tool), reason)
    if json_output:
        show_json(held)
    else:
        say(f"{held.name} is {held.state}")


def remove(ctx: typer.Context, server: ServerArgument, *, json_output: JsonOption = False) -> None:
    """Take a server away, with its tools and tokens."""
    removed = open_client(ctx).mcp_servers.remove(server)
    if json_output:
        show_json(removed)
    else:
        say(f"{removed.name} is gone")


def authorize(
    ctx: typer.Context,
    server: ServerArgument,
    *,
    port: Annotated[int, typer.Option(help="Port on this machine that the answer comes to; 0 takes a free one.", min=0, max=65535)] = 0,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for you.", min=1)] = 300.0,
    json_output: JsonOption = False,
) -> None:
    """Let Standfast use an MCP server in your name (OAuth): open the page that is shown, on this machine.

    Raises:
        typer.Exit: Nobody answered, or you said no.
    """
    client = open_client(ctx, default_role="admin")
    authorized = load("cli.mcp_authorization").authorize(client, server, port=port, timeout_s=timeout)
    if authorized is None:
        raise typer.Exit(ExitCode.FAILURE)
    _show(authorized, json_output=json_output)


def serve(ctx: typer.Context) -> None:
    """Be an MCP server on standard input and output, for a client on this machine; it does what your key may."""
    client = open_client(ctx)
    load("cli.mcp_bridge").serve(client.connection)


def _pairs(given: list[str] | None, option: str) -> dict[str, JsonValue]:
    """Return NAME=SECRET pairs.

    Raises:
        typer.BadParameter: One is none.
    """
    pairs: dict[str, JsonValue] = {}
    for each in given or []:
        name, equals, secret = each.partition("=")
        if not equals or not name or not secret:
            raise typer.BadParameter(f"{option}: write NAME=SECRET, the name of a secret that `standfast secrets` knows")
        pairs[name] = secret
    return pairs


def _name(server: str, tool: str) -> str:
    return tool if tool.startswith("mcp.") else f"mcp.{server}.{tool}"


def _tool(server: McpServer, name: str) -> McpTool:
    """Return a tool of a server.

    Raises:
        typer.BadParameter: It has none of that name.
    """
    found = next((tool for tool in server.tools if tool.name == _name(server.name, name)), None)
    if found is None:
        raise typer.BadParameter(f"{server.name} has no tool {name}; it has {', '.join(tool.name for tool in server.tools) or 'none'}")
    return found


def _read(tool: McpTool) -> None:
    for line in tool_text(tool):
        say(clean(line))


def _show(server: McpServer, *, json_output: bool) -> None:
    if json_output:
        show_json(server)
        return
    show_fields(server_fields(server))
    show_table(TOOL_COLUMNS, [tool_row(each) for each in server.tools], nothing="no tool is known yet: `standfast mcp check` asks for them")
