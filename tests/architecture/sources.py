"""What the architecture tests look at: the repository's files and the syntax trees of its modules."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("domain", "activities", "sagas", "workflows", "adapters", "wiring", "api", "cli", "standfast_sdk")
"""The Python rooms that the application's wheel carries."""

WATCHED = (*ROOMS, "clients", "examples", "benchmarks", "docs", "tests")
MODULES = sorted(path for room in WATCHED for path in (ROOT / room).rglob("*.py") if "migrations" not in path.parts)

assert any(path.name == "stepper.py" for path in MODULES), "the rooms moved: correct ROOT"


@cache
def tree_of(path: Path) -> ast.Module:
    """Return a module's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """Return every node of a module's syntax tree, as `ast.walk` gives them."""
    return tuple(ast.walk(tree_of(path)))


def shown(path: Path) -> str:
    """Return a path as the reader of a failure wants it."""
    return str(path.relative_to(ROOT))


def modules_of(*rooms: str) -> list[Path]:
    """Return the modules of some rooms."""
    return [path for path in MODULES if path.relative_to(ROOT).parts[0] in rooms]


def imported(module: Path) -> set[str]:
    """Return the full names of everything a module imports, also inside functions."""
    found: set[str] = set()
    for node in nodes_of(module):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


@cache
def repository_files() -> tuple[Path, ...]:
    """Return every file that git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    found = tuple(ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file())
    assert len(found) > 50, "the tests need a git checkout"
    return found
