"""A database with another schema: `migrate --check` says whether to migrate, and no process starts on a schema newer than itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from adapters.postgres.migrate import migrate
from adapters.postgres.schema_version import newest_revision, revisions
from cli.exit_codes import ExitCode
from tests.adapters.postgres.databases import new_database
from tests.cli.command_line import in_process
from tests.servers.postgres import embedded_postgres

PARTS = ("gateway", "worker", "dev", "migrate", "migrate --check")


class Urls(NamedTuple):
    """A database: as its superuser and as the application's role."""

    owner: str
    app: str

    def settings(self) -> dict[str, str]:
        """Return what points a process to it; nobody is at the Temporal address."""
        return {"DATABASE_URL": self.app, "STANDFAST_DATABASE_OWNER_URL": self.owner, "TEMPORAL_ADDRESS": "127.0.0.1:1"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A PostgreSQL whose roles exist."""
    with embedded_postgres() as postgres:
        migrate(postgres.owner_url, app_password="app-password")
        yield postgres.owner_url


def database(server: str, revision: str, *, called: str | None = None) -> Urls:
    """Make a database at a revision, which then calls itself otherwise when asked."""
    owner = new_database(server)
    app = migrate(owner, app_password="app-password", revision=revision).app_url
    assert app is not None
    if called is not None:
        with psycopg.connect(owner) as connection:
            connection.execute("UPDATE alembic_version SET version_num = %s", [called])
    return Urls(owner, app)


@pytest.fixture(scope="module")
def newer(server: str) -> Urls:
    """A database that a later version of Standfast migrated."""
    return database(server, newest_revision(), called="9999")


@pytest.mark.timeout(120)
class TestNewerSchema:
    @pytest.mark.parametrize("part", PARTS)
    def test_is_refused_with_what_to_do(self, newer: Urls, part: str, tmp_path: Path) -> None:
        done = in_process(*part.split(), folder=tmp_path, **newer.settings())
        said = done.stderr + done.stdout
        assert (done.returncode, "Traceback" in said) == (ExitCode.UNAVAILABLE, False), said
        assert f"the database is at schema revision 9999, and this version of Standfast knows up to {newest_revision()}" in said
        assert "upgrade Standfast" in said


@pytest.mark.timeout(120)
class TestOlderSchema:
    @pytest.mark.parametrize("part", ["gateway", "worker"])
    def test_is_refused_until_somebody_migrates(self, server: str, part: str, tmp_path: Path) -> None:
        done = in_process(part, folder=tmp_path, **database(server, revisions()[0]).settings())
        said = done.stderr + done.stdout
        assert (done.returncode, "Traceback" in said) == (ExitCode.UNAVAILABLE, False), said
        assert f"is at schema revision {revisions()[0]} and needs {newest_revision()}: run `standfast migrate`" in said


class TestCheck:
    def test_ends_with_1_while_a_migration_is_needed_and_changes_nothing(self, server: str, tmp_path: Path) -> None:
        older = database(server, revisions()[0]).settings()
        for _ in range(2):
            done = in_process("migrate", "--check", folder=tmp_path, **older)
            assert (done.returncode, done.stdout) == (
                ExitCode.FAILURE,
                f"database: {revisions()[0]}; this version: {newest_revision()}; run `standfast migrate`\n",
            )
        assert in_process("migrate", folder=tmp_path, **older).returncode == ExitCode.OK
        done = in_process("migrate", "--check", folder=tmp_path, **older)
        assert (done.returncode, "nothing to do" in done.stdout) == (ExitCode.OK, True)

    def test_ends_with_1_for_an_empty_database(self, server: str, tmp_path: Path) -> None:
        done = in_process("migrate", "--check", folder=tmp_path, STANDFAST_DATABASE_OWNER_URL=new_database(server))
        assert (done.returncode, done.stdout.split(";")[0]) == (ExitCode.FAILURE, "database: empty")
