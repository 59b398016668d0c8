"""What README and the other pages tell people to type exists: commands with their options, make targets, addresses, definitions."""

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.exit_codes import ExitCode
from cli.main import app
from standfast_client import Standfast
from tests.architecture.sources import ROOT, repository_files, shown
from tests.cli.command_line import in_process

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(?:console|bash|text)\n(.*?)^```", re.MULTILINE | re.DOTALL)
TYPED = re.compile(r"^(?:\$|  ) ?(?:\.venv/bin/)?standfast (.+)$", re.MULTILINE)
MAKE = re.compile(r"^(?:\$ )?make (\w+)", re.MULTILINE)
PAGES = [path for path in repository_files() if path.suffix == ".md"]


def blocks_of(page: Path) -> str:
    """Return everything that a page shows as a terminal's."""
    return "\n".join(BLOCK.findall(page.read_text(encoding="utf-8")))


COMMANDS = sorted({(shown(page), line.strip()) for page in PAGES for line in TYPED.findall(blocks_of(page))})
TARGETS = sorted({(shown(page), name) for page in PAGES for name in MAKE.findall(blocks_of(page))})


class TestShownCommand:
    @pytest.mark.parametrize(("page", "line"), COMMANDS)
    def test_is_one_that_the_command_line_takes(self, page: str, line: str) -> None:
        asked = CliRunner().invoke(app, [*shlex.split(line, comments=True), "--help"])  # options are read before help is written
        assert asked.exit_code == ExitCode.OK, f"{page}: {asked.output}"

    @pytest.mark.parametrize("line", ["fly", "runs --fly"])
    def test_is_told_from_one_that_it_does_not_take(self, line: str) -> None:
        assert CliRunner().invoke(app, [*line.split(), "--help"]).exit_code == ExitCode.USAGE

    def test_is_found_on_readme(self) -> None:
        assert {line.split()[0] for page, line in COMMANDS if page == "README.md"} >= {
            "dev",
            "validate",
            "register",
            "run",
            "approve",
            "verify",
        }


class TestShownTarget:
    @pytest.mark.parametrize(("page", "target"), TARGETS)
    def test_is_one_of_the_makefile_with_a_line_of_help(self, page: str, target: str) -> None:
        assert re.search(rf"^{target}:.* ## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE), page

    def test_promised_ones_are_there(self) -> None:
        declared = set(re.findall(r"^(\w+):.* ## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
        assert declared >= {"demo", "test", "check", "bench", "data", "clean", "help"}


class TestReadme:
    def test_shows_a_definition_that_can_be_registered(self, tmp_path: Path) -> None:
        [definition] = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
        (tmp_path / "asking").mkdir()
        (tmp_path / "asking" / "asking.yaml").write_text(definition, encoding="utf-8")
        done = in_process("validate", "asking", folder=tmp_path)
        assert (done.returncode, done.stdout[:18]) == (ExitCode.OK, "ok: asking 1.0.0, "), done.stdout

    def test_calls_addresses_that_the_gateway_has(self) -> None:
        paths = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))["paths"]
        shapes = {re.sub(r"\{\w+\}", "*", path) for path in paths}
        called = {re.sub(r"/\w+_…", "/*", path) for path in re.findall(r"http://127\.0\.0\.1:8080(/v1/[^\s?']+)", README)}
        assert len(called) == 2
        assert called <= shapes

    def test_shows_python_that_runs_on_the_client(self) -> None:
        [code] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
        compile(code, "README.md", "exec")
        with Standfast("http://127.0.0.1:9", "k") as client:
            for group, method in re.findall(r"client\.(\w+)\.(\w+)\(", code):
                assert callable(getattr(getattr(client, group), method))
