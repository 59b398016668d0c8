"""The generated tables of docs/cli.md: every command with its arguments and options, and every exit code."""

from collections.abc import Iterator

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup
from typer.main import get_command

from cli.exit_codes import MEANINGS


def commands_table(app: typer.Typer) -> str:
    """Return a Markdown table of all commands."""
    rows = [f"| `{usage}` | {help_text} | {options} |" for usage, help_text, options in _commands(get_command(app), "standfast")]
    return "\n".join(["| command | what it does | options |", "|---|---|---|", *rows])


def exit_codes_table() -> str:
    """Return a Markdown table of all exit codes."""
    rows = [f"| {code.value} | {meaning} |" for code, meaning in MEANINGS.items()]
    return "\n".join(["| code | meaning |", "|--:|---|", *rows])


def _commands(command: object, prefix: str) -> Iterator[tuple[str, str, str]]:
    """Yield (usage, help, options) of a command and those below it; the root itself only holds others."""
    if isinstance(command, TyperGroup):
        if command.invoke_without_command and " " in prefix:
            yield prefix, _help(command), _options(command)
        for name in command.commands:
            yield from _commands(command.commands[name], f"{prefix} {name}")
    elif isinstance(command, TyperCommand):
        arguments = [_argument(each) for each in command.params if isinstance(each, TyperArgument)]
        yield " ".join([prefix, *arguments]), _help(command), _options(command)


def _argument(argument: TyperArgument) -> str:
    shown = argument.metavar or (argument.name or "").upper()
    return shown.replace("|", "\\|")


def _help(command: TyperCommand | TyperGroup) -> str:
    return " ".join((command.help or "").split()).replace("|", "\\|")


def _options(command: TyperCommand | TyperGroup) -> str:
    shown = [each for each in command.params if not isinstance(each, TyperArgument) and not getattr(each, "hidden", False)]
    names = [_longest(each.opts) + ("".join(f" / {name}" for name in each.secondary_opts)) for each in shown]
    return " ".join(f"`{name}`" for name in names if name != "--help")


def _longest(names: list[str]) -> str:
    return max(names, key=len)
