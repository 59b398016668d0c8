"""Writes the generated parts of the documentation: the tables of rooms, adapters, error codes, settings and commands.

    python -m docs.generate           # rewrite
    python -m docs.generate --check   # only say what is out of date; exit status 1 if anything is

Generated text stands between `<!-- generated: NAME -->` and `<!-- end: NAME -->`; the text around it is written by hand.
"""

import argparse
import ast
import re
import sys
from pathlib import Path

from cli.main import app
from cli.reference import commands_table, exit_codes_table
from domain.errors import StandfastError, error_classes
from wiring.settings import GROUPS

ROOT = Path(__file__).parents[1]
ROOMS = (
    "domain",
    "activities",
    "sagas",
    "workflows",
    "adapters",
    "wiring",
    "api",
    "cli",
    "standfast_sdk",
    "clients/python/src/standfast_client",
    "clients/verify/src/standfast_verify",
)
"""Python rooms in the order in which requests are decided, from the pure one outwards."""


def rooms_table() -> str:
    """Return a Markdown table of the rooms, from their package docstrings."""
    rows = [
        f"| `{_shown(room)}/` | {_docstring(ROOT / room / '__init__.py')} |" for room in ROOMS if (ROOT / room / "__init__.py").exists()
    ]
    return "\n".join(["| room | what it is |", "|---|---|", *rows])


def adapters_table() -> str:
    """Return a Markdown table of the adapters, from their package docstrings."""
    packages = sorted(path for path in (ROOT / "adapters").glob("*/__init__.py"))
    rows = [f"| `{path.parent.name}` | {_docstring(path)} |" for path in packages]
    return "\n".join(["| adapter | what it is |", "|---|---|", *rows])


def errors_table() -> str:
    """Return a Markdown table of every error class, by status, then code."""
    ordered = sorted(error_classes(), key=lambda error: (error.status, error.code))
    rows = [
        f"| `{error.code}` | {error.status} | {'yes' if error.retryable else 'no'} | {error.title} | {_meaning(error)} |"
        for error in ordered
    ]
    return "\n".join(["| code | status | retry helps | title | when |", "|---|--:|---|---|---|", *rows])


def settings_table() -> str:
    """Return a Markdown table of every setting, in the order of the groups; a setting shared by groups stands once."""
    rows: dict[str, str] = {}
    for group in GROUPS:
        for field in group.model_fields.values():
            default = "" if field.is_required() or field.default in (None, {}) else f"`{field.default}`"
            rows.setdefault(str(field.validation_alias), f"| `{field.validation_alias}` | {default} | {field.description} |")
    return "\n".join(["| variable | default | what it is |", "|---|---|---|", *rows.values()])


PARTS = (
    (ROOT / "ARCHITECTURE.md", "rooms", rooms_table),
    (ROOT / "ARCHITECTURE.md", "adapters", adapters_table),
    (ROOT / "docs" / "errors.md", "errors", errors_table),
    (ROOT / "docs" / "settings.md", "settings", settings_table),
    (ROOT / "docs" / "cli.md", "commands", lambda: commands_table(app)),
    (ROOT / "docs" / "cli.md", "exit-codes", exit_codes_table),
)
"""Each generated part: its file, its name between the markers, and what writes it."""


def replaced(text: str, name: str, body: str) -> str:
    """Return `text` with the part `name` replaced by `body`.

    Raises:
        ValueError: the markers are absent or stand more than once.
    """
    begin, end = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"expected one part between {begin} and {end}")
    return pattern.sub(lambda _: f"{begin}\n{body}\n{end}", text)


def stale() -> list[tuple[Path, str]]:
    """Return each file whose generated parts are out of date, with the text it should have."""
    wanted: dict[Path, str] = {}
    for path, name, write in PARTS:
        wanted[path] = replaced(wanted.get(path, path.read_text(encoding="utf-8")), name, write())
    return [(path, text) for path, text in wanted.items() if path.read_text(encoding="utf-8") != text]


def main() -> int:
    """Rewrite, or check; return the exit status."""
    arguments = argparse.ArgumentParser(description="Write the generated parts of the documentation.")
    arguments.add_argument("--check", action="store_true", help="change nothing; fail when something is out of date")
    check = arguments.parse_args().check
    found = stale()
    for path, text in found:
        if not check:
            path.write_text(text, encoding="utf-8")
        print(f"{path.relative_to(ROOT)}: {'out of date, run `make generate`' if check else 'rewritten'}")
    return 1 if check and found else 0


def _shown(room: str) -> str:
    """Return how the table names a room."""
    return "/".join(room.split("/")[:2]) if room.startswith("clients") else room


def _docstring(path: Path) -> str:
    """Return the first paragraph of a module's docstring on one line."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")


def _meaning(error: type[StandfastError]) -> str:
    """Return the first paragraph of an error's docstring on one line."""
    return " ".join((error.__doc__ or "").split("\n\n")[0].split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
