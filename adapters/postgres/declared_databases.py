"""Reading statements on databases that the operator declared: one connection, one transaction that cannot write, one cursor, for each.

The statement goes through the extended protocol behind `DECLARE … CURSOR FOR`: so it is exactly one statement, and one that reads.
"""

import asyncio
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import psycopg
from psycopg import AsyncConnection, AsyncRawServerCursor
from pydantic import JsonValue

from domain.canonical import canonical_bytes
from domain.databases import ANSWER_BYTES_MAX, QueryResult
from domain.errors import ToolFailed, ToolUnavailable

CONNECT_S = 5
TEXT_CHARS_MAX = 10_000
INTEGER_MAX = 2**53 - 1
FETCHED = 100
"""Rows fetched at a time."""
_MAY_WRITE = "SELECT rolsuper OR rolreplication OR rolbypassrls FROM pg_roles WHERE rolname = current_user"


class DeclaredDatabases:
    """Implements `domain.databases.QueryDatabases`.

    Args:
        urls: A libpq URL by `tenant/name`, or by `*/name` for a database that every tenant may read.
    """

    def __init__(self, urls: Mapping[str, str]) -> None:
        self._urls = dict(urls)

    def names(self, tenant: str) -> list[str]:
        """Return the names that a tenant may use, sorted."""
        return sorted({key.partition("/")[2] for key in self._urls if key.partition("/")[0] in (tenant, "*")})

    async def query(
        self, tenant: str, name: str, query: str, parameters: list[JsonValue], *, rows_max: int, deadline_s: float
    ) -> QueryResult:
        """Run one reading statement; parameters stand as `$1`, `$2`.

        Raises:
            ToolFailed: there is no such database, its role could do more than read, or the statement errs, writes or takes too long.
            ToolUnavailable: the database does not answer.
        """
        url = self._urls.get(f"{tenant}/{name}") or self._urls.get(f"*/{name}")
        if url is None:
            raise ToolFailed(f"there is no database {name!r}; there are: {', '.join(self.names(tenant)) or 'none'}", where="/database")
        try:
            async with asyncio.timeout(deadline_s + CONNECT_S), await self._connected(url, deadline_s) as connection:
                await _refuse_power(connection, name)
                try:
                    return await _read(connection, query, parameters, rows_max)
                finally:
                    await connection.rollback()  # some functions write in a read-only transaction: large objects before PostgreSQL 16
        except TimeoutError as error:
            raise ToolFailed(f"the statement took longer than {deadline_s:g} s") from error
        except psycopg.errors.QueryCanceled as error:
            raise ToolFailed(f"the statement took longer than {deadline_s:g} s") from error
        except psycopg.OperationalError as error:
            if error.sqlstate is None or error.sqlstate.startswith(("08", "57", "53")):
                raise ToolUnavailable(f"the database {name} does not answer") from error  # the reason may name its address
            raise ToolFailed(_told(error), where="/query") from error
        except psycopg.Error as error:
            raise ToolFailed(_told(error), where="/query") from error

    async def _connected(self, url: str, deadline_s: float) -> AsyncConnection[tuple[Any, ...]]:  # Any: columns hold what they hold
        milliseconds = int(deadline_s * 1000)
        options = (
            f"-c default_transaction_read_only=on -c statement_timeout={milliseconds} -c lock_timeout={min(milliseconds, 2000)}"
            " -c idle_in_transaction_session_timeout=30s -c timezone=UTC"
        )
        return await AsyncConnection.connect(url, options=options, connect_timeout=CONNECT_S, application_name="standfast sql.query")


async def _refuse_power(connection: AsyncConnection[tuple[Any, ...]], name: str) -> None:  # Any: as above
    """Refuse a role to which reading is no bound.

    Raises:
        ToolFailed: it is a superuser, or bypasses row-level security.
    """
    await connection.set_read_only(True)
    row = await (await connection.execute(_MAY_WRITE)).fetchone()
    if row is None or row[0]:
        raise ToolFailed(f"the database {name} is declared with a role that may do more than read: give it one that only reads")


async def _read(
    connection: AsyncConnection[tuple[Any, ...]],  # Any: as above
    query: str,
    parameters: list[JsonValue],
    rows_max: int,
) -> QueryResult:
    rows: list[list[JsonValue]] = []
    size = 0
    async with AsyncRawServerCursor(connection, "standfast_rows") as cursor:
        await cursor.execute(query.strip().rstrip(";").encode(), parameters or None)
        columns = [column.name for column in cursor.description or ()]
        while len(rows) <= rows_max:
            fetched = await cursor.fetchmany(FETCHED)
            for row in fetched:
                shown = [_shown(value) for value in cast("tuple[object, ...]", row)]
                size += len(canonical_bytes(shown))
                if size > ANSWER_BYTES_MAX or len(rows) >= rows_max:
                    return QueryResult(columns=columns, rows=rows, truncated=True)
                rows.append(shown)
            if len(fetched) < FETCHED:
                break
    return QueryResult(columns=columns, rows=rows)


def _shown(value: object) -> JsonValue:
    """Return a column's value as JSON: numbers that JSON cannot carry exactly, times and bytes become texts."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= INTEGER_MAX else str(value)
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)  # noqa: PLR0124 - NaN is not itself
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(cast("bytes", value))[:TEXT_CHARS_MAX].hex()
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return [_shown(each) for each in cast("list[object]", list(value))]  # pyright: ignore[reportUnknownArgumentType]  # an array's
    if isinstance(value, dict):
        return {str(key): _shown(each) for key, each in cast("dict[object, object]", value).items()}
    text = str(value) if isinstance(value, (str, Decimal, UUID, timedelta)) else repr(value)
    return text.replace("\0", "\ufffd")[:TEXT_CHARS_MAX]


def _told(error: psycopg.Error) -> str:
    """Return PostgreSQL's own words about a statement, without those about the server."""
    first = error.diag.message_primary or str(error).partition("\n")[0]
    return f"the statement cannot be run: {first[:300]}"
