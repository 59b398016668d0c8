"""What a process must not import before it needs it: each of these costs a good part of a second or more at every start."""

import subprocess
import sys

import pytest

LATE = ("anthropic", "openai", "alembic", "docker", "genai_prices")


@pytest.mark.parametrize("module", ["wiring.worker", "api.main", "wiring.dev_stack"])
def test_slow_libraries_are_not_imported_at_start(module: str) -> None:
    program = f"import sys, {module}; print(*[name for name in {LATE!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert found.stdout.split() == []
