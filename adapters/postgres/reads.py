"""Reads: SQLModel selects compiled once, at import, to the SQL text that the pool runs (DESIGN §15). Pure."""

from typing import Any, cast

from sqlalchemy import BindParameter, Select, bindparam
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlmodel.sql.expression import SelectOfScalar

_DIALECT = PGDialect_psycopg()


def compiled(statement: Select[Any] | SelectOfScalar[Any]) -> bytes:  # Any: rows are read by column, whatever the select's type
    """Return a select as SQL text with `%(name)s` parameters, one for each `param`.

    Raises:
        ValueError: a value stands in the select itself; the text would ask for it under a made-up name.
    """
    ready = statement.compile(dialect=_DIALECT)
    if values := {name: value for name, value in ready.params.items() if value is not None}:
        raise ValueError(f"write these as literal columns or params: {values}")
    return str(ready).encode()


def param(name: str) -> BindParameter[Any]:  # Any: it is compared with columns of any type
    """Return a named parameter whose type is that of the column it meets."""
    return cast("BindParameter[Any]", bindparam(name))
