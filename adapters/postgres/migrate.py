"""Brings a database to the newest revision. Synchronous: it runs once."""

import secrets
import threading
from typing import NamedTuple

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from adapters.postgres.extensions import ensure_vector
from adapters.postgres.roles import APP, OWNER, ensure_roles
from adapters.postgres.schema_version import newest_revision, refuse_unknown
from adapters.postgres.urls import connection_advice, with_role
from domain.errors import Unavailable

MIGRATION_LOCK = 0x57414E44
"""Advisory lock that lets one migration of a database run at a time; any constant of ours does."""

_ALEMBIC = threading.Lock()
"""Alembic keeps its context in module globals, so one migration runs at a time in a process."""

OWNER_SETTING = "STANDFAST_DATABASE_OWNER_URL"


class Migrated(NamedTuple):
    """What a migration did.

    Attributes:
        before: The revision found, None for an empty database.
        after: The revision now.
        app_url: URL of `standfast_app`, or None when that role existed and its password was not given.
    """

    before: str | None
    after: str
    app_url: str | None


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "adapters.postgres:migrations")
    config.set_main_option("path_separator", "os")
    return config


def _connect(owner_url: str) -> psycopg.Connection:
    try:
        return psycopg.connect(owner_url, autocommit=True, connect_timeout=10, application_name="standfast migrate")
    except psycopg.OperationalError as error:
        raise Unavailable(connection_advice(error, OWNER_SETTING)) from error


def _revise(connection: psycopg.Connection, target: str, *, down: bool = False) -> None:
    """Run revisions as the tables' owner, all in one transaction."""
    engine = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=NullPool)
    connection.autocommit = False
    with _ALEMBIC, engine.begin() as bound:
        bound.exec_driver_sql(f"SET LOCAL ROLE {OWNER}")
        config = _config()
        config.attributes["connection"] = bound
        if down:
            command.downgrade(config, target)
        else:
            command.upgrade(config, target)


def current_revision(owner_url: str) -> str | None:
    """Return the revision a database is at, None when it was never migrated.

    Raises:
        Unavailable: it does not answer.
    """
    with _connect(owner_url) as connection:
        return _revision_of(connection)


def _revision_of(connection: psycopg.Connection) -> str | None:
    if connection.execute("SELECT to_regclass('public.alembic_version')").fetchone() == (None,):
        return None
    row = connection.execute("SELECT version_num FROM public.alembic_version").fetchone()
    return None if row is None else str(row[0])


def migrate(owner_url: str, *, app_password: str | None = None, revision: str | None = None) -> Migrated:
    """Make roles, tables, policies and functions, or bring them to the newest revision; the second time changes nothing.

    Args:
        owner_url: A superuser's URL (roles are made), or that of `standfast_owner` once the roles exist.
        app_password: Password for `standfast_app`; None generates one for a new role and leaves an old one alone.
        revision: Where to stop; None: the newest.

    Raises:
        Unavailable: it does not answer, roles are missing, or the schema is newer than this version.
    """
    with _connect(owner_url) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        before = _revision_of(connection)
        refuse_unknown(before)
        password = ensure_roles(connection, app_password, secrets.token_urlsafe(24))
        wanted = revision or newest_revision()
        if before != wanted:
            _revise(_connect(owner_url), wanted)
        ensure_vector(connection)
        app_url = None if password is None else with_role(owner_url, user=APP, password=password)
        return Migrated(before, wanted, app_url)


def downgrade(owner_url: str, revision: str) -> None:
    """Take revisions back down to `revision` (`base`: all); their rows are lost.

    Raises:
        Unavailable: the database does not answer.
    """
    _revise(_connect(owner_url), revision, down=True)
