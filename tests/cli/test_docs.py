"""docs/cli.md and docs/client.md say what the code says."""

import re
from pathlib import Path

import standfast_client
from cli.main import app
from cli.reference import commands_table, exit_codes_table
from docs.generate import replaced
from standfast_client import Standfast, StandfastError
from standfast_client.blocking.runs import RunHandle

DOCS = Path(__file__).parents[2] / "docs"


class TestCommandLinePage:
    TEXT = (DOCS / "cli.md").read_text(encoding="utf-8")

    def test_lists_every_command_and_exit_code(self) -> None:
        fresh = replaced(replaced(self.TEXT, "commands", commands_table(app)), "exit-codes", exit_codes_table())
        assert fresh == self.TEXT, "run `python -m docs.generate`"

    def test_names_commands_that_exist_in_its_examples(self) -> None:
        used = set(re.findall(r"^\$ standfast (\w+)", self.TEXT, re.MULTILINE))
        assert used
        assert all(f"`standfast {name}" in commands_table(app) for name in used)


class TestClientPage:
    TEXT = (DOCS / "client.md").read_text(encoding="utf-8")

    def test_lists_every_exception(self) -> None:
        kinds = [getattr(standfast_client, name) for name in standfast_client.__all__]
        errors = {kind.__name__ for kind in kinds if isinstance(kind, type) and issubclass(kind, StandfastError)}
        listed = set(re.findall(r"^\| `(\w+Error)`", self.TEXT, re.MULTILINE))
        assert listed | {"StandfastError"} == errors

    def test_names_methods_that_exist(self) -> None:
        with Standfast("http://127.0.0.1:9", "k") as client:
            for group, method in re.findall(r"(?:client|reviewer)\.(\w+)\.(\w+)\(", self.TEXT):
                assert callable(getattr(getattr(client, group), method))
        for method in re.findall(r"\brun\.(\w+)\(", self.TEXT):
            assert callable(getattr(RunHandle, method))

    def test_its_python_parses(self) -> None:
        blocks = re.findall(r"```python\n(.*?)```", self.TEXT, re.DOTALL)
        assert len(blocks) >= 5
        for block in blocks:
            compile(block, "client.md", "exec")
