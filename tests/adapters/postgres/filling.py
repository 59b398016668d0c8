"""Puts a row into every table of a schema, whatever the tables are.

Values go by type, references lead to the rows that are there, and where a check refuses a value, one that it names is tried.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from typing import Any

import psycopg
from psycopg.types.json import Json

BY_TYPE: dict[str, object] = {
    "text": "x",
    "bytea": b"\1" * 32,
    "boolean": True,
    "json": Json({"a": 1}),
    "jsonb": Json({"a": 1}),
    "uuid": "00000000-0000-8000-8000-000000000000",
    "timestamp with time zone": datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC),
    "date": datetime(2026, 1, 2, tzinfo=UTC).date(),
}
LATER = datetime(2026, 1, 3, tzinfo=UTC)
SECOND = "y"
MATCHING = {"[0-9a-f]{64}": "0" * 64, "^(env|file|vault):": "env:X"}
"""Patterns of checks, and a value that each takes."""
REFERRED_TWICE = {"principals": "principal"}
"""Tables to whose rows a table refers twice, and the column that tells their two rows apart."""
TRIES_MAX = 500

Row = dict[str, Any]  # Any: whatever the columns hold


@dataclass(frozen=True)
class Table:
    """What a row needs: column types, which may be null, references (own columns → table and its columns), texts of its checks."""

    name: str
    types: Mapping[str, str]
    nullable: frozenset[str]
    references: tuple[tuple[tuple[str, ...], str, tuple[str, ...]], ...]
    checks: Mapping[str, tuple[tuple[str, ...], str]]


def fill(url: str) -> list[str]:
    """Put one row into each empty table and return the tables' names, referenced ones first.

    Raises:
        AssertionError: a table's checks refuse every value tried.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        tables = _in_order({name: _table(connection, name) for name in _names(connection)})
        rows: dict[str, Row] = {}
        for table in tables:
            there = connection.execute(f"SELECT * FROM {table.name} LIMIT 1".encode())  # noqa: S608 - names from the catalogue
            names = [column.name for column in there.description or ()]
            found = there.fetchone()
            rows[table.name] = dict(zip(names, found, strict=True)) if found else _insert(connection, table, rows)
            if table.name in REFERRED_TWICE:
                _another(connection, table.name, rows[table.name], REFERRED_TWICE[table.name])
        return [table.name for table in tables]


def _names(connection: psycopg.Connection) -> list[str]:
    query = (
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition"
        " AND relname <> 'alembic_version' ORDER BY 1"
    )
    return [row[0] for row in connection.execute(query.encode()).fetchall()]


def _table(connection: psycopg.Connection, name: str) -> Table:
    columns = connection.execute(
        "SELECT attname::text, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND attidentity = ''",
        [name],
    ).fetchall()
    constraints = connection.execute(
        "SELECT conname::text, contype::text, conkey, coalesce(confrelid::regclass::text, ''), confkey, pg_get_constraintdef(oid)"
        " FROM pg_constraint WHERE conrelid = %s::regclass",
        [name],
    ).fetchall()
    references = [
        (_columns(connection, name, own), other, _columns(connection, other, theirs))
        for _, kind, own, other, theirs, _ in constraints
        if kind == "f"
    ]
    checks = {label: (_columns(connection, name, own), text) for label, kind, own, _, _, text in constraints if kind == "c"}
    nullable = frozenset(column for column, _, required in columns if not required)
    return Table(name, {column: kind for column, kind, _ in columns}, nullable, tuple(references), checks)


def _columns(connection: psycopg.Connection, table: str, numbers: list[int]) -> tuple[str, ...]:
    query = "SELECT attname::text FROM pg_attribute WHERE attrelid = %s::regclass AND attnum = ANY(%s) ORDER BY array_position(%s, attnum)"
    return tuple(row[0] for row in connection.execute(query, [table, numbers, numbers]).fetchall())


def _in_order(tables: Mapping[str, Table]) -> list[Table]:
    """Return referenced tables before those that refer to them."""
    done: list[Table] = []
    while len(done) < len(tables):
        names = {table.name for table in done}
        ready = [
            table
            for table in tables.values()
            if table.name not in names and all(other in names or other == table.name for _, other, _ in table.references)
        ]
        assert ready, "tables that refer to each other in a circle"
        done += ready
    return done


def _insert(connection: psycopg.Connection, table: Table, rows: Mapping[str, Row]) -> Row:
    first: Row = {name: _value(kind) for name, kind in table.types.items()}
    met: set[str] = set()
    for own, other, theirs in table.references:
        if other != table.name:
            row = rows[other] | ({REFERRED_TWICE[other]: SECOND} if other in met else {})
            first |= {mine: row[its] for mine, its in zip(own, theirs, strict=True)}
            met.add(other)
    refused = ""
    for row in _candidates(table, first):
        names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
        try:
            connection.execute(f"INSERT INTO {table.name} ({names}) VALUES ({marks})".encode(), list(row.values()))  # noqa: S608 - the same
        except psycopg.errors.CheckViolation as error:
            refused = str(error)
        else:
            return row
    raise AssertionError(f"no row was found that {table.name} takes: {refused}")


def _another(connection: psycopg.Connection, table: str, row: Row, key: str) -> None:
    """Put a second row into a table, for one that refers to it twice; only its key, a text, is another."""
    second = row | {key: SECOND}
    names, marks = ", ".join(second), ", ".join(["%s"] * len(second))
    query = f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608 - the same
    connection.execute(query.encode(), list(second.values()))


def _value(kind: str) -> object:
    """Return a value of a type; numbers are 1."""
    return [_value(kind.removesuffix("[]"))] if kind.endswith("[]") else BY_TYPE.get(kind, 1)


def _candidates(table: Table, first: Row) -> Iterator[Row]:
    """Yield rows in which the columns under a check take the values that it names."""
    choices: dict[str, list[object]] = {}
    for columns, text in table.checks.values():
        for column in columns:
            named: list[object] = [*re.findall(r"'([^']*)'", text)] if table.types[column] == "text" else []
            named += [value for pattern, value in MATCHING.items() if pattern in text]
            empty: list[object] = [None] if column in table.nullable else []
            later: list[object] = [LATER] if isinstance(first[column], datetime) else []
            choices.setdefault(column, [first[column]]).extend([*named, *later, *empty])
    for tried, values in enumerate(product(*choices.values())):
        if tried == TRIES_MAX:
            return
        yield first | dict(zip(choices, values, strict=True))
