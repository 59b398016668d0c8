"""Runs the `.sql` files of a revision as they stand, on Alembic's own connection."""

from importlib.resources import files

import psycopg
from alembic import op


def run_scripts(*names: str) -> None:
    """Run `sql/<name>.sql` for each name, in order; a file may hold many statements.

    Raises:
        TypeError: Alembic runs on another driver than psycopg.
    """
    driver = op.get_bind().connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError("migrations run on psycopg")
    folder = files("adapters.postgres.migrations") / "sql"
    for name in names:
        driver.execute((folder / f"{name}.sql").read_bytes())
