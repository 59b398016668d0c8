"""The three database roles (DESIGN §15): made when the connection may make them, reused when they are there.

`standfast_owner` owns the tables and migrates; `standfast_app` runs and owns nothing; `standfast_definer` cannot log in,
bypasses row-level security, and owns only the functions of ADR 0004. Roles belong to the server, so two databases share them.
"""

import psycopg
from psycopg import sql

from domain.errors import Unavailable

OWNER = "standfast_owner"
APP = "standfast_app"
DEFINER = "standfast_definer"

ROLE_ATTEMPTS = 20
"""PostgreSQL answers "tuple concurrently updated" at once, so attempts are cheap; far more than migrations that start together."""

BY_HAND = (
    f"CREATE ROLE {OWNER} LOGIN; CREATE ROLE {APP} LOGIN PASSWORD '…'; CREATE ROLE {DEFINER} NOLOGIN BYPASSRLS; GRANT {DEFINER} TO {OWNER};"
)


def _exists(connection: psycopg.Connection, role: str) -> bool:
    return connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is not None


def _create(connection: psycopg.Connection, role: str, options: sql.Composable) -> bool:
    """Make one role unless it is there; another database's migration may win the race."""
    if _exists(connection, role):
        return False
    try:
        with connection.transaction():
            connection.execute(sql.SQL("CREATE ROLE {} {}").format(sql.Identifier(role), options))
    except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        return False
    return True


def _missing(connection: psycopg.Connection) -> list[str]:
    return [role for role in (OWNER, APP, DEFINER) if not _exists(connection, role)]


def ensure_roles(connection: psycopg.Connection, app_password: str | None, generated: str) -> str | None:
    """Make the missing roles and let the owner work in this database.

    Args:
        connection: Of a superuser, or of `standfast_owner` itself when all roles exist.
        app_password: Set for `standfast_app`, new or old.
        generated: Set for a new `standfast_app` when `app_password` is None.

    Returns:
        The password of `standfast_app`, or None when an existing role keeps its own.

    Raises:
        Unavailable: roles are missing and this connection may not make them; the message says what to run.
    """
    try:
        _create(connection, OWNER, sql.SQL("NOLOGIN"))
        made = _create(connection, APP, sql.SQL("LOGIN PASSWORD {}").format(sql.Literal(app_password or generated)))
        _create(connection, DEFINER, sql.SQL("NOLOGIN BYPASSRLS"))
    except psycopg.errors.InsufficientPrivilege as error:
        raise Unavailable(
            f"the database lacks the roles {', '.join(_missing(connection))} and this user may not make them. "
            f"Run as a superuser: {BY_HAND} Or give STANDFAST_DATABASE_OWNER_URL a superuser once."
        ) from error
    if app_password is not None and not made:
        _execute(connection, sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(APP), sql.Literal(app_password)))
    _let_owner_work(connection)
    return app_password if app_password is not None else (generated if made else None)


def _execute(connection: psycopg.Connection, statement: sql.Composed) -> None:
    """Run a statement on roles; all databases share them, so two migrations at once can meet, and the second tries again."""
    for _ in range(ROLE_ATTEMPTS - 1):
        try:
            connection.execute(statement)
        except (psycopg.errors.InternalError_, psycopg.errors.UniqueViolation):
            continue
        return
    connection.execute(statement)


def _let_owner_work(connection: psycopg.Connection) -> None:
    """Grants that only a superuser can give; `standfast_owner` itself finds them given."""
    row = connection.execute("SELECT current_user, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)").fetchone()
    if row is None or not row[1]:
        return
    if connection.execute("SELECT pg_has_role(%s, %s, 'MEMBER')", [OWNER, DEFINER]).fetchone() != (True,):
        _execute(connection, sql.SQL("GRANT {} TO {}").format(sql.Identifier(DEFINER), sql.Identifier(OWNER)))
    connection.execute(sql.SQL("GRANT USAGE, CREATE ON SCHEMA public TO {} WITH GRANT OPTION").format(sql.Identifier(OWNER)))
