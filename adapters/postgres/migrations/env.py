"""Alembic's entry: runs the revisions on the connection that `migrate.py` hands over.

Revisions are SQL and are not made from the tables of `tables.py`; a test compares what they make with those, so none is loaded here.
"""

from alembic import context
from sqlalchemy import Connection


def run() -> None:
    """Run the wanted revisions in the caller's transaction.

    Raises:
        TypeError: Alembic was started without `migrate.py`.
    """
    connection = context.config.attributes["connection"]
    if not isinstance(connection, Connection):
        raise TypeError("run migrations through adapters.postgres.migrate, which hands over a connection")
    context.configure(connection=connection)
    context.run_migrations()


run()
