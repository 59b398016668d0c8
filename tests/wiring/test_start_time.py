"""What a process must not import before it needs it: each of these costs a good part of a second or more at every start."""

import subprocess
import sys

import pytest

LATE = ("anthropic", "openai", "alembic", "docker", "genai_prices", "sqlmodel", "sqlalchemy")
SERVERS = ("temporalio", "psycopg", "fastapi", "cryptography")


def loaded(names: tuple[str, ...], module: str) -> list[str]:
    """Return which of the libraries a new process has after it has imported the module."""
    program = f"import sys, {module}; print(*[name for name in {names!r} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()


@pytest.mark.parametrize("module", ["wiring.worker", "api.main", "wiring.dev_stack", "wiring.dev.supervisor"])
def test_slow_libraries_are_not_imported_at_start(module: str) -> None:
    assert loaded(LATE, module) == []


def test_starting_a_stack_behind_the_terminal_asks_no_server_itself() -> None:
    assert loaded((*LATE, *SERVERS), "cli.local.dev") == []
