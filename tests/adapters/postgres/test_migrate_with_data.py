"""Migrations forward and back, from every revision, with rows in every table that it has."""

import re

import psycopg
import pytest

from adapters.postgres.migrate import current_revision, downgrade, migrate
from adapters.postgres.schema_version import newest_revision, revisions
from tests.adapters.postgres.catalog import columns_of, rows_of, schema_of
from tests.adapters.postgres.databases import MigratedServer, new_database
from tests.adapters.postgres.filling import fill

REVISIONS = revisions()


@pytest.fixture
def empty(server: MigratedServer) -> str:
    """The superuser's address of an empty database on a server whose roles exist."""
    return new_database(server.owner_url)


class TestRevisions:
    def test_lead_from_the_first_to_the_newest(self) -> None:
        assert sorted(REVISIONS) == REVISIONS
        assert REVISIONS[-1] == newest_revision()


@pytest.mark.parametrize("revision", REVISIONS)
class TestRevision:
    def test_goes_to_the_newest_and_back_and_forth_and_keeps_its_rows(self, empty: str, revision: str) -> None:
        migrate(empty, revision=revision)
        filled = fill(empty)
        assert "ledger_entries" in filled
        columns, schema = columns_of(empty), schema_of(empty)
        rows = rows_of(empty, columns)
        assert all(rows.values()), "each table has a row"

        migrate(empty)
        assert rows_of(empty, columns) == rows, "rows of the old tables after going forward"
        newest = schema_of(empty)
        fill(empty)

        downgrade(empty, revision)
        assert current_revision(empty) == revision
        assert rows_of(empty, columns) == rows, "rows of the old tables after coming back"
        assert schema_of(empty) == schema, "the schema that was there before"

        migrate(empty)
        assert rows_of(empty, columns) == rows, "rows of the old tables after going forward again"
        assert schema_of(empty) == newest


class TestAllRevisions:
    def test_follow_each_other_up_and_down_with_rows_at_every_step(self, empty: str) -> None:
        for revision in REVISIONS:
            migrate(empty, revision=revision)
            fill(empty)
        for revision in reversed(REVISIONS[:-1]):
            downgrade(empty, revision)
            assert current_revision(empty) == revision
        downgrade(empty, "base")
        assert schema_of(empty) == {}
        assert migrate(empty).after == newest_revision()


class TestInterruptedMigration:
    def test_leaves_the_schema_as_it_was(self, empty: str) -> None:
        """All revisions run in one transaction: a table in the way of a late one takes back the others too."""
        migrate(empty, revision=REVISIONS[0])
        before = schema_of(empty)
        [blocking] = sorted(_newest_tables(empty))[:1]
        with psycopg.connect(empty) as connection:
            connection.execute(f"CREATE TABLE {blocking} (a int)".encode())
        with pytest.raises(Exception, match=re.escape(f'"{blocking}" already exists')):
            migrate(empty)
        assert current_revision(empty) == REVISIONS[0]
        with psycopg.connect(empty) as connection:
            connection.execute(f"DROP TABLE {blocking}".encode())
        assert schema_of(empty) == before


def _newest_tables(url: str) -> set[str]:
    """Return the tables of the newest revision that adds some."""
    known, added = set(columns_of(url)), set[str]()
    for step in REVISIONS[1:]:
        migrate(url, revision=step)
        here = set(columns_of(url))
        known, added = here, (here - known) or added
    downgrade(url, REVISIONS[0])
    return added
