"""sql.query on a real server: it reads, within bounds, and writes by no trick."""

from contextlib import suppress

import psycopg
import pytest
from psycopg import conninfo
from pydantic import JsonValue

from adapters.postgres.declared_databases import DeclaredDatabases
from adapters.tools.builtins.sql_query import SqlQuery
from domain.databases import QueryResult
from domain.errors import ToolFailed, ToolUnavailable
from tests.adapters.postgres.databases import MigratedServer, new_database
from tests.adapters.tools.tool_calls import tool_call

READER = "CREATE ROLE sql_reader LOGIN PASSWORD 'r'"


@pytest.fixture(scope="module")
def urls() -> dict[str, tuple[str, str]]:
    """Databases that are ready, by server."""
    return {}


@pytest.fixture
def reader(server: MigratedServer, urls: dict[str, tuple[str, str]]) -> tuple[str, str]:
    """The URLs of a role that reads, and of the superuser."""
    if server.version not in urls:
        owner = new_database(server.owner_url)
        with psycopg.connect(owner, autocommit=True) as connection:
            connection.execute(READER)
            connection.execute("CREATE TABLE flights (id int, name text, delay numeric, at timestamptz, tags text[])")
            connection.execute(
                "INSERT INTO flights SELECT n, 'UA' || n, n * 1.5, '2026-01-01T00:00:00Z', '{a}' FROM generate_series(1, 500) n"
            )
            connection.execute(
                "GRANT SELECT, INSERT, DELETE ON flights TO sql_reader"
            )  # more than reading, so that our own bounds are seen
        urls[server.version] = (conninfo.make_conninfo(owner, user="sql_reader", password="r"), owner)
    return urls[server.version]


async def asked(url: str, query: str, *parameters: JsonValue, rows_max: int = 100, deadline_s: float = 5.0) -> QueryResult:
    """Run one statement on acme's database `flights`."""
    databases = DeclaredDatabases({"acme/flights": url})
    return await databases.query("acme", "flights", query, list(parameters), rows_max=rows_max, deadline_s=deadline_s)


class TestQuery:
    async def test_gives_rows_as_json(self, reader: tuple[str, str]) -> None:
        result = await asked(reader[0], "SELECT id, name, delay, at, tags FROM flights WHERE id = $1", 2)
        assert result.columns == ["id", "name", "delay", "at", "tags"]
        assert result.rows == [[2, "UA2", "3.0", "2026-01-01T00:00:00+00:00", ["a"]]]

    async def test_cuts_off_rows(self, reader: tuple[str, str]) -> None:
        result = await asked(reader[0], "SELECT id FROM flights ORDER BY id;", rows_max=3)
        assert (result.rows, result.truncated) == ([[1], [2], [3]], True)
        assert not (await asked(reader[0], "SELECT id FROM flights WHERE id <= 3", rows_max=3)).truncated

    async def test_cuts_off_bytes(self, reader: tuple[str, str]) -> None:
        result = await asked(reader[0], "SELECT repeat('x', 9000) FROM generate_series(1, 900)", rows_max=1000)
        assert result.truncated
        assert len(result.rows) < 60

    @pytest.mark.parametrize(
        "query",
        [
            *("DELETE FROM flights", "INSERT INTO flights (id) VALUES (9)", "DROP TABLE flights", "TRUNCATE flights", "VACUUM"),
            *("SELECT 1; DELETE FROM flights", "SELECT 1; COMMIT; DELETE FROM flights", "COMMIT", "SET TRANSACTION READ WRITE"),
            *("WITH gone AS (DELETE FROM flights RETURNING id) SELECT id FROM gone", "SELECT * INTO copied FROM flights"),
            *("COPY flights TO PROGRAM 'id'", "COPY flights TO '/tmp/x'", "DO $$BEGIN DELETE FROM flights; END$$", "SELECT nextval('x')"),
            *("SELECT set_config('transaction_read_only', 'off', false), 1; DELETE FROM flights", "SELECT pg_read_file('/etc/passwd')"),
            *("1; DELETE FROM flights --", "", "SELECT * FROM nowhere", "NOTIFY x"),
        ],
    )
    async def test_writes_by_no_trick(self, reader: tuple[str, str], query: str) -> None:
        with pytest.raises(ToolFailed):
            await asked(reader[0], query)
        with psycopg.connect(reader[1]) as connection:
            assert connection.execute("SELECT count(*) FROM flights").fetchone() == (500,)

    async def test_leaves_nothing_behind(self, reader: tuple[str, str]) -> None:
        with suppress(ToolFailed):  # before PostgreSQL 16 a read-only transaction may make large objects
            await asked(reader[0], "SELECT lo_creat(1)")
        with psycopg.connect(reader[1]) as connection:
            assert connection.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone() == (0,)

    async def test_ends_after_its_time(self, reader: tuple[str, str]) -> None:
        with pytest.raises(ToolFailed, match="longer than"):
            await asked(reader[0], "SELECT pg_sleep(30)", deadline_s=0.3)

    async def test_is_refused_for_a_role_that_may_do_anything(self, reader: tuple[str, str]) -> None:
        with pytest.raises(ToolFailed, match="one that only reads"):
            await asked(reader[1], "SELECT 1")

    async def test_is_one_tenant_s_database(self, reader: tuple[str, str]) -> None:
        databases = DeclaredDatabases({"acme/flights": reader[0], "*/public": reader[0]})
        assert databases.names("acme") == ["flights", "public"]
        assert databases.names("other") == ["public"]
        with pytest.raises(ToolFailed, match="there are: public"):
            await databases.query("other", "flights", "SELECT 1", [], rows_max=1, deadline_s=1)


class TestSqlQuery:
    async def test_tells_rows_to_the_model(self, reader: tuple[str, str]) -> None:
        tool = SqlQuery(DeclaredDatabases({"acme/flights": reader[0]}))
        arguments: dict[str, JsonValue] = {"database": "flights", "query": "SELECT count(*) FROM flights"}
        assert await tool.call(tool_call(arguments, tool="sql.query")) == {"columns": ["count"], "rows": [[500]], "truncated": False}

    async def test_never_tells_the_address_of_a_server_that_is_away(self) -> None:
        with pytest.raises(ToolUnavailable) as caught:
            await asked("postgresql://u:secret@127.0.0.1:9/x", "SELECT 1")
        assert "secret" not in caught.value.detail
        assert "127.0.0.1" not in caught.value.detail

    async def test_says_which_setting_is_missing(self) -> None:
        with pytest.raises(ToolFailed, match="STANDFAST_QUERY_DATABASES"):
            await SqlQuery(DeclaredDatabases({})).call(tool_call({"database": "x", "query": "SELECT 1"}, tool="sql.query"))
