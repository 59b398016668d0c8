"""Writes to the terminal: tables and lines for people, JSON for programs. Nothing else of this room writes.

On a terminal tables have rules and colours; elsewhere they are plain columns that are never cut.
"""

import json
import sys
from collections.abc import Sequence
from typing import Protocol, TextIO, cast

from pydantic import BaseModel, JsonValue

from cli.late import load

_TERMINAL_CONTROLS = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}
"""Control characters that JSON lets through unescaped."""


class TablePainter(Protocol):
    """What `cli.tables` has."""

    def paint(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Write a table to the terminal."""
        ...


def clean(text: str) -> str:
    """Return text without control characters, which could command the terminal; line ends become spaces."""
    return "".join(" " if c in "\r\n\t" else c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def say(line: str = "") -> None:
    """Write one line of output."""
    _line(sys.stdout, line)


def note(line: str) -> None:
    """Write one line about what goes on; it goes to standard error, so that output stays clean."""
    _line(sys.stderr, line)


def write(text: str, *, aside: bool) -> None:
    """Write text as it is, to standard error when it stands aside; whoever calls cleans it."""
    stream = sys.stderr if aside else sys.stdout
    stream.write(text)
    stream.flush()


def on_terminal() -> bool:
    """Whether a person reads the output."""
    return sys.stdout.isatty()


def show_json(value: BaseModel | JsonValue | Sequence[BaseModel]) -> None:
    """Write a value as indented JSON."""
    say(json.dumps(value, indent=2, ensure_ascii=False, default=_plain).translate(_TERMINAL_CONTROLS))


def _plain(value: BaseModel) -> JsonValue:
    return value.model_dump(mode="json")


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, nothing: str) -> None:
    """Write a table, or the sentence `nothing` when it has no rows.

    Args:
        columns: Headings.
        rows: Cells, as many in each row as there are headings.
        nothing: What to say instead of an empty table.
    """
    cells = [[clean(cell) for cell in row] for row in rows]
    if not cells:
        note(nothing)
    elif on_terminal():
        cast("TablePainter", load("cli.tables")).paint(columns, cells)
    else:
        widths = [max(len(row[place]) for row in [list(columns), *cells]) for place in range(len(columns))]
        for row in [list(columns), *cells]:
            say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def show_fields(fields: Sequence[tuple[str, str | None]]) -> None:
    """Write names and values below each other; empty values are left out."""
    width = max(len(name) for name, _ in fields)
    for name, value in fields:
        if value:
            say(f"{name.ljust(width)}  {clean(value)}")


def _line(stream: TextIO, line: str) -> None:
    stream.write(f"{line}\n")
    stream.flush()
