"""`models` against the real gateway."""

import json

from cli.exit_codes import ExitCode
from tests.cli.command_line import CommandLine


class TestCommands:
    def test_set_show_and_remove(self, standfast: CommandLine) -> None:
        made = standfast("models", "set", "fast", "gemini/gemini-3.5-flash", "--fallback", "openai/gpt-4o=overload,price", "--json")
        assert made.exit_code == ExitCode.OK, made.output
        assert json.loads(made.stdout)["fallbacks"] == [{"model": "openai/gpt-4o", "on": ["overload", "price"]}]
        assert "openai/gpt-4o on overload, price" in standfast("models").stdout
        assert "temperature" in standfast("models", "show", "openai/gpt-5").stdout
        assert standfast("models", "remove", "fast").exit_code == ExitCode.OK
        assert standfast("models").stderr == "no aliases\n"
