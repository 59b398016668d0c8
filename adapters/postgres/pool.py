"""The one pool wrapper: the only way to a cursor, always inside a transaction and always with its tenant (JOURNAL §5).

`tenant()` opens a transaction with `standfast.tenant` set for it alone, both in one round trip. `call()` runs one SQL function as one
statement, transaction and tenant included, in one round trip. `platform()` has no tenant: row-level security then shows no row.
"""

import asyncio
import select
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, LiteralString, Self, cast

import psycopg
from psycopg import AsyncConnection, AsyncRawCursor, sql
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from adapters.postgres.urls import connection_advice
from domain.errors import Unavailable

Row = Mapping[str, Any]  # Any: the type of a column is SQL's to say; readers convert each field
Params = Sequence[object] | Mapping[str, object]
Query = LiteralString | bytes

SESSION = "-c timezone=UTC -c jit=off -c idle_in_transaction_session_timeout=60s -c search_path=public"
"""jit costs more than it saves on statements of under a millisecond; an abandoned transaction must not hold a run's row."""

RECONNECT_S = 2.0
"""The pool gives up a lost connection after this long, and the next request makes a new one: its own delays double without bound."""


_KEPT_ALIVE = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
"""A connection that only listens says nothing for hours: without probes nobody sees that it is gone."""


class Transaction:
    """An open transaction; statements take `%s` or `%(name)s` parameters."""

    def __init__(self, connection: AsyncConnection[DictRow]) -> None:
        self._connection = connection

    async def rows(self, query: Query, params: Params | None = None) -> list[Row]:
        """Return all rows, each a mapping by column."""
        cursor = await self._connection.execute(query, params)
        return list(await cursor.fetchall())

    async def row(self, query: Query, params: Params | None = None) -> Row | None:
        """Return the first row, or None."""
        cursor = await self._connection.execute(query, params)
        return await cursor.fetchone()

    async def execute(self, query: Query, params: Params | None = None) -> None:
        """Run a statement for what it does."""
        await self._connection.execute(query, params)

    async def affected(self, query: Query, params: Params | None = None) -> int:
        """Return how many rows a statement changed."""
        row = await self.row(b"WITH changed AS (" + _encoded(query) + b" RETURNING 1) SELECT count(*) AS n FROM changed", params)
        return 0 if row is None else int(row["n"])


class Database:
    """The connections of one process to one database.

    Args:
        url: A libpq URL of the role `standfast_app`.
        min_size: Connections kept open.
        max_size: Connections at most; a request waits for a free one.
        timeout_s: How long it waits, and how long connecting may take.
        setting: The setting that errors name.
    """

    def __init__(self, url: str, *, min_size: int = 1, max_size: int = 10, timeout_s: float = 10.0, setting: str = "DATABASE_URL") -> None:
        self._url = url
        self._setting = setting
        self._timeout_s = timeout_s
        self._arguments: dict[str, object] = {
            "autocommit": True,
            "row_factory": dict_row,
            "prepare_threshold": 1,
            "options": SESSION,
            "application_name": "standfast",
            "connect_timeout": max(2, int(timeout_s)),
        }
        self._pool = AsyncConnectionPool(
            url,
            connection_class=cast("type[AsyncConnection[DictRow]]", AsyncConnection),
            kwargs=self._arguments,
            min_size=min_size,
            max_size=max_size,
            timeout=timeout_s,
            reconnect_timeout=RECONNECT_S,
            check=_check,
            open=False,
            name="standfast",
        )

    async def open(self) -> None:
        """Connect, inside the running loop.

        Raises:
            Unavailable: it does not answer; the reason is PostgreSQL's own.
        """
        try:
            probe = await AsyncConnection.connect(self._url, autocommit=True, connect_timeout=max(2, int(self._timeout_s)))
            await probe.close()
            await self._pool.open(wait=True, timeout=self._timeout_s)
        except (psycopg.OperationalError, PoolTimeout) as error:
            await self._pool.close()
            raise Unavailable(connection_advice(error, self._setting)) from error

    async def close(self) -> None:
        """Close every connection; the database object is used up then."""
        await self._pool.close()

    async def __aenter__(self) -> Self:
        """Open it."""
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self.close()

    @asynccontextmanager
    async def tenant(self, tenant: str) -> AsyncGenerator[Transaction]:
        """Open a transaction in which only this tenant's rows exist; committed at the end, rolled back when an error leaves it.

        Raises:
            Unavailable: the database does not answer.
        """
        # Measured against psycopg's pipeline mode (2 cores, 8 clients): 5,700 instead of 3,000 reads a second.
        opening = sql.SQL("BEGIN; SELECT set_config('standfast.tenant', {}, true)").format(sql.Literal(tenant))
        async with self._checked_out() as connection:
            await connection.execute(opening, prepare=False)
            try:
                yield Transaction(connection)
            except BaseException:
                with suppress(psycopg.Error):  # a lost connection cannot roll back; the pool throws it away
                    await connection.rollback()
                raise
            await connection.commit()

    @asynccontextmanager
    async def platform(self) -> AsyncGenerator[Transaction]:
        """Open a transaction without a tenant: only functions that see all tenants, and tables that have none, say anything.

        Raises:
            Unavailable: the database does not answer.
        """
        async with self._checked_out() as connection, connection.transaction():
            yield Transaction(connection)

    async def call(self, tenant: str, function: LiteralString, params: Sequence[object], *, seen: str = "") -> Row:
        """Run a SQL function whose first parameter is the tenant, as its own transaction in one round trip.

        The function takes the tenant from `set_config`, so that it is set before the function begins. `seen` is the Temporal execution
        that speaks, for functions that ask for it (`standfast.temporal_run`).

        Raises:
            Unavailable: the database does not answer, and whether it was done is unknown.
        """
        query: bytes = (
            b"SELECT answer.* FROM set_config('standfast.tenant', "
            + (b"left(set_config('standfast.temporal_run', %s, true), 0) || " if seen else b"")
            + b"%s, true) AS setting(tenant), LATERAL "
            + function.encode()
            + b"(setting.tenant"
            + b", %s" * len(params)
            + b") AS answer"
        )
        return await self.select(query, [*([seen] if seen else []), tenant, *params])

    async def select(self, query: bytes, params: Params) -> Row:
        """Run a statement that sets its own tenant and answers one row, as its own transaction in one round trip.

        Raises:
            Unavailable: the database does not answer, and whether it was done is unknown.
        """
        return _only(await self.select_all(query, params))

    async def select_numbered(self, query: bytes, params: Sequence[object]) -> Row:
        """Run a statement like `select`'s whose parameters are numbered, `$1` and so on.

        psycopg reads a statement with more than fifty `%s` anew each time, which costs more than to send it.

        Raises:
            Unavailable: the database does not answer, and whether it was done is unknown.
        """
        async with self._checked_out() as connection:
            cursor = await AsyncRawCursor(connection, row_factory=dict_row).execute(query, params)
            return _only(await cursor.fetchall())

    async def select_all(self, query: bytes, params: Params) -> list[Row]:
        """Run a statement that sets its own tenant, as its own transaction in one round trip.

        Raises:
            Unavailable: the database does not answer, and whether it was done is unknown.
        """
        async with self._checked_out() as connection:
            cursor = await connection.execute(query, params)
            return list(await cursor.fetchall())

    async def notices(self, channel: LiteralString) -> AsyncGenerator[str]:
        """Listen on a connection of its own: an empty text once it listens, then each payload. It ends only by an error.

        Raises:
            Unavailable: the connection cannot be made, or is lost; what was notified meanwhile is lost with it.
        """
        try:
            connection = await AsyncConnection.connect(self._url, **{**self._arguments, **_KEPT_ALIVE})  # pyright: ignore[reportArgumentType]  # libpq's own words
        except psycopg.OperationalError as error:
            raise Unavailable(connection_advice(error, self._setting)) from error
        try:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            yield ""
            async for notice in connection.notifies():
                yield notice.payload
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise Unavailable(connection_advice(error, self._setting)) from error
        finally:
            await connection.close()

    @asynccontextmanager
    async def _checked_out(self) -> AsyncGenerator[AsyncConnection[DictRow]]:
        try:
            async with self._pool.connection() as connection:
                yield connection
        except (PoolTimeout, TooManyRequests, PoolClosed) as error:
            raise Unavailable(await self._reason(error)) from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise Unavailable(connection_advice(error, self._setting)) from error

    async def _reason(self, error: psycopg.Error) -> str:
        """Return why no connection was to be had: the pool itself only knows that it waited."""
        try:
            probe = await AsyncConnection.connect(self._url, autocommit=True, connect_timeout=2)
        except psycopg.OperationalError as cause:
            return connection_advice(cause, self._setting)
        await probe.close()
        return f"no database connection was free in time ({error}): PostgreSQL answers, and this process needs more connections"


def _only(rows: Sequence[Row]) -> Row:
    """Return the first row of a statement that always answers.

    Raises:
        Unavailable: it did not.
    """
    if not rows:
        raise Unavailable("a statement that always answers gave no row")
    return rows[0]


async def _check(connection: AsyncConnection[DictRow]) -> None:
    """Ask the server only when its socket has something to say: an idle connection says something when it is lost."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN | select.POLLERR | select.POLLHUP)
    if poll.poll(0):
        async with asyncio.timeout(5):
            await connection.execute("")


def _encoded(query: Query) -> bytes:
    return query if isinstance(query, bytes) else query.encode()
