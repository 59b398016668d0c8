"""Migrations: from nothing, twice, at once, back again, and refused."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import conninfo
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from adapters.postgres.migrate import Migrated, current_revision, downgrade, migrate
from adapters.postgres.pool import Database
from adapters.postgres.schema_version import check_schema_version, newest_revision
from adapters.postgres.tables import Table
from domain.errors import Unavailable
from tests.adapters.postgres.databases import MigratedServer, new_database
from tests.contracts.postgres_bench import PostgresBench


@pytest.fixture
def empty(server: MigratedServer) -> str:
    """The superuser's address of an empty database."""
    return new_database(server.owner_url)


def migrate_with_password(owner_url: str) -> Migrated:
    """Migrate as an installation does that keeps the password itself."""
    return migrate(owner_url, app_password="app-password")


class TestMigrate:
    async def test_makes_a_database_that_works(self, empty: str, tenant: str) -> None:
        assert current_revision(empty) is None
        done = migrate(empty, app_password="app-password")
        assert (done.before, done.after) == (None, newest_revision())
        assert done.app_url is not None
        async with Database(done.app_url) as db:
            await check_schema_version(db)
            assert (await (await PostgresBench(db, tenant).accept()).verification()).ok

    def test_changes_nothing_the_second_time(self, empty: str) -> None:
        migrate(empty)
        again = migrate(empty)
        assert (again.before, again.after) == (newest_revision(), newest_revision())

    def test_leaves_the_password_of_an_existing_role_alone(self, empty: str) -> None:
        assert migrate(empty).app_url is None

    def test_hands_back_the_address_with_the_password_it_set(self, empty: str) -> None:
        app_url = migrate(empty, app_password="p@ss/w:rd%").app_url
        assert app_url is not None
        parts = conninfo.conninfo_to_dict(app_url)
        assert (parts["user"], parts["password"]) == ("standfast_app", "p@ss/w:rd%")
        assert parts["dbname"] == conninfo.conninfo_to_dict(empty)["dbname"]

    def test_runs_once_when_several_start_at_once(self, empty: str) -> None:
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(migrate_with_password, [empty] * 4))
        assert sorted(one.before or "" for one in done) == [""] + [newest_revision()] * 3

    def test_runs_for_several_databases_of_a_server_at_once(self, server: MigratedServer) -> None:
        databases = [new_database(server.owner_url) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(migrate_with_password, databases))
        assert {one.after for one in done} == {newest_revision()}

    def test_runs_as_the_owner_role_once_the_roles_are_there(self, server: MigratedServer) -> None:
        url = new_database(server.owner_url)
        name = conninfo.conninfo_to_dict(url)["dbname"]
        with psycopg.connect(url) as connection:
            connection.execute("ALTER ROLE standfast_owner LOGIN")
            connection.execute(f'ALTER DATABASE "{name}" OWNER TO standfast_owner'.encode())
        assert migrate(conninfo.make_conninfo(url, user="standfast_owner")).after == newest_revision()

    def test_says_what_to_run_when_it_may_not_make_roles(self, server: MigratedServer) -> None:
        with pytest.raises(Unavailable, match="STANDFAST_DATABASE_OWNER_URL"):
            migrate(conninfo.make_conninfo(server.owner_url, host="/nonexistent"))

    def test_goes_down_and_up_again(self, empty: str) -> None:
        migrate(empty)
        downgrade(empty, "base")
        with psycopg.connect(empty) as connection:
            left = connection.execute(
                "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname !~ 'alembic_version'"
            ).fetchone()
            functions = connection.execute("SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace").fetchone()
        assert (left, functions) == ((0,), (0,))
        assert migrate(empty).after == newest_revision()

    def test_makes_the_tables_that_are_declared(self, server: MigratedServer) -> None:
        engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(server.owner_url), poolclass=NullPool)
        with engine.connect() as connection:
            partitions = {str(name) for (name,) in connection.execute(text("SELECT relname FROM pg_class WHERE relispartition"))}

            def declared(name: str | None, _kind: str, _parents: object) -> bool:
                return name not in partitions

            context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": declared})
            assert compare_metadata(context, Table.metadata) == []


class TestSchemaVersion:
    def test_newest_is_the_head_that_alembic_finds(self) -> None:
        config = Config()
        config.set_main_option("script_location", "adapters.postgres:migrations")
        config.set_main_option("path_separator", "os")
        assert newest_revision() == ScriptDirectory.from_config(config).get_current_head()

    async def test_of_an_empty_database_asks_for_a_migration(self, empty: str) -> None:
        async with Database(empty) as db:
            with pytest.raises(Unavailable, match="standfast migrate"):
                await check_schema_version(db)

    async def test_newer_than_this_version_is_refused(self, empty: str) -> None:
        migrate(empty)
        with psycopg.connect(empty) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        async with Database(empty) as db:
            with pytest.raises(Unavailable, match=r"9999.*upgrade Standfast"):
                await check_schema_version(db)
        with pytest.raises(Unavailable, match="9999"):
            migrate(empty)
