"""Compiles the selects of `selects.py` to the SQL text that the pool runs, and writes it: `python -m adapters.postgres.reads`.

The text is kept in the repository, so that no process loads SQLModel to read; a test compares it with what SQLModel compiles now.
"""

import re
import sys
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Select
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from adapters.postgres import selects

TEXTS = Path(__file__).with_name("select_texts.py")
_DIALECT = PGDialect_psycopg()
_WIDTH_MAX = 136
_WORD = re.compile(r"(?:'[^']*'|\S)+")
"""A quoted text stays whole, spaces included."""

_HEAD = '''"""The SQL of `selects.py`, compiled by `python -m adapters.postgres.reads`: change it there. A test compares the two."""
'''


def compiled(statement: Select[*tuple[Any, ...]]) -> str:  # Any: rows are read by column, whatever the select's type
    """Return a select as SQL text with `%(name)s` parameters, one for each of its named ones.

    Raises:
        ValueError: a value stands in the select itself; the text would ask for it under a made-up name.
    """
    ready = statement.compile(dialect=_DIALECT)
    if values := {name: value for name, value in ready.params.items() if value is not None}:
        raise ValueError(f"write these as literal columns or params: {values}")
    return "\n".join(_wrapped(line) for line in str(ready).splitlines())


def _wrapped(line: str) -> str:
    """Break a line between words, without its outer spaces."""
    lines = [""]
    for word in _WORD.findall(line):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if len(longer) <= _WIDTH_MAX:
            lines[-1] = longer
        else:
            lines.append(f"    {word}")
    return "\n".join(lines)


def rendered() -> str:
    """Return the module of texts as the file holds it."""
    named = cast("dict[str, object]", vars(selects)).items()
    found = {name: cast("Select[*tuple[Any, ...]]", value) for name, value in named if isinstance(value, Select)}  # Any: as above
    return _HEAD + "".join(f'\n{name} = b"""\n{compiled(statement)}\n"""\n' for name, statement in found.items())


def main() -> None:
    """Write the file."""
    TEXTS.write_text(rendered(), encoding="utf-8")
    sys.stdout.write(f"wrote {TEXTS.name}\n")


if __name__ == "__main__":
    main()
