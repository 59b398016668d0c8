"""Alembic's entry: runs the revisions on the connection that `migrate.py` hands over."""

from alembic import context
from sqlalchemy import Connection

from adapters.postgres.tables import Table


def run() -> None:
    """Run the wanted revisions in the caller's transaction.

    Raises:
        TypeError: Alembic was started without `migrate.py`.
    """
    connection = context.config.attributes["connection"]
    if not isinstance(connection, Connection):
        raise TypeError("run migrations through adapters.postgres.migrate, which hands over a connection")
    context.configure(connection=connection, target_metadata=Table.metadata, compare_type=True)
    context.run_migrations()


run()
