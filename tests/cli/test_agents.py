"""`agents` and `prompts` against the real gateway."""

import json
from pathlib import Path

import pytest

from cli.exit_codes import ExitCode
from tests.api.test_agents import FILES
from tests.cli.command_line import CommandLine


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A folder with an agent and its prompt."""
    for name, text in FILES.items():
        place = tmp_path / "bundle" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    return tmp_path / "bundle"


class TestAgents:
    def test_are_registered_reviewed_and_approved_by_somebody_else(self, standfast: CommandLine, bundle: Path) -> None:
        assert "no agents" in standfast("agents").output
        made = standfast("--role", "developer", "agents", "register", str(bundle))
        assert made.exit_code == ExitCode.OK, made.output
        assert "prompt strict 1.2.0" in made.stdout
        assert standfast("--role", "developer", "agents", "review", "reviewer", "1.0.0").stdout.strip() == "reviewer 1.0.0 is review"
        assert standfast("--role", "approver", "agents", "approve", "reviewer", "1.0.0", "-m", "good").exit_code == ExitCode.OK
        shown = standfast("agents", "show", "reviewer").stdout
        for word in ("Reviews claims.", "approved", "review → approved", "good"):
            assert word in shown
        assert json.loads(standfast("agents", "--status", "approved", "--json").stdout)[0]["version"] == "1.0.0"

    def test_are_not_approved_by_who_registered_them(self, standfast: CommandLine, bundle: Path) -> None:
        standfast("--role", "admin", "agents", "register", str(bundle))
        standfast("--role", "admin", "agents", "review", "reviewer", "1.0.0")
        refused = standfast("--role", "admin", "agents", "approve", "reviewer", "1.0.0")
        assert refused.exit_code != ExitCode.OK
        assert "four eyes" in refused.output

    def test_are_taken_out_of_use(self, standfast: CommandLine, bundle: Path) -> None:
        standfast("--role", "developer", "agents", "register", str(bundle))
        assert "is retired" in standfast("--role", "operator", "agents", "retire", "reviewer", "1.0.0").stdout


class TestPrompts:
    def test_are_registered_and_shown(self, standfast: CommandLine, tmp_path: Path) -> None:
        file = tmp_path / "strict.md"
        file.write_text("Be {{ tone }}.\n", encoding="utf-8")
        assert standfast("--role", "developer", "prompts", "register", "strict", "1.0.0", str(file)).exit_code == ExitCode.OK
        assert "strict" in standfast("prompts").stdout
        assert standfast("prompts", "show", "strict").stdout == "Be {{ tone }}.\n"

    def test_say_what_no_prompt_may_do(self, standfast: CommandLine) -> None:
        refused = standfast("--role", "developer", "prompts", "register", "p", "1.0.0", "-", given="{% set x = 1 %}")
        assert refused.exit_code == ExitCode.REFUSED
        assert "a prompt cannot use `set`" in refused.output
