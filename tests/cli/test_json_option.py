"""Whatever shows a table can be read by a program too."""

from collections.abc import Iterator

from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from cli.main import app

SHOW_NOTHING = {"demo", "worker", "gateway", "migrate", "export", "serve"}
"""Commands that run a part, play on the screen, speak MCP on standard output, or write a file that is JSON itself."""


def without_json(command: object, name: str) -> Iterator[str]:
    """Yield the commands that lack `--json`."""
    if isinstance(command, TyperGroup):
        for below in command.commands:
            yield from without_json(command.commands[below], below)
    elif isinstance(command, TyperCommand) and not any("--json" in option.opts for option in command.params):
        yield name


class TestJsonOption:
    def test_belongs_to_every_command_that_shows_something(self) -> None:
        assert set(without_json(get_command(app), "standfast")) == SHOW_NOTHING
