"""pgvector, on which memory searches: made with the roles where the server has it, since only a superuser may. Nothing else needs it."""

from contextlib import suppress

import psycopg
from psycopg import sql

from adapters.postgres.roles import APP

SCHEMA = "standfast_vectors"
"""A schema of its own: our tables' schema stays what the revisions make of it."""
MISSING = (
    "memory.search needs PostgreSQL's extension `vector` (pgvector), which this database lacks: install it for the server "
    "(Debian: postgresql-15-pgvector; the image pgvector/pgvector has it) and run `standfast migrate` again as a superuser"
)
_WANTED = "SELECT 1 FROM pg_available_extensions WHERE name = 'vector' AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector')"

_NOT_NOW = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.FeatureNotSupported,
    psycopg.errors.UndefinedFile,
)
"""It may not be made by this connection, or the server has only a part of it."""


def ensure_vector(connection: psycopg.Connection) -> None:
    """Make the extension unless it is there, is not installed on the server, or this connection may not make it."""
    if connection.execute(_WANTED).fetchone() is None:
        return
    name = sql.Identifier(SCHEMA)
    with suppress(*_NOT_NOW), connection.transaction():
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
        connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS vector SCHEMA {}").format(name))
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(name, sql.Identifier(APP)))
