"""Connection addresses: the same database under another role, and which setting to look at when it does not answer. Pure."""

from urllib.parse import quote, urlencode

import psycopg
from psycopg import conninfo


def with_role(url: str, *, user: str, password: str) -> str:
    """Return the `postgresql://` URL of another role at the same database; sockets, ports and options are kept."""
    taken = {key: str(value) for key, value in conninfo.conninfo_to_dict(url, user=user, password=password).items() if value is not None}
    credentials = f"{quote(taken.pop('user'), safe='')}:{quote(taken.pop('password'), safe='')}"
    database = quote(taken.pop("dbname", ""), safe="")
    # A socket folder, an IPv6 address or a list of hosts goes into the query, where libpq reads it without further rules.
    query = urlencode(taken)
    return f"postgresql://{credentials}@/{database}" + (f"?{query}" if query else "")


def connection_advice(error: psycopg.Error, setting: str) -> str:
    """Return a sentence that says what failed and which setting to look at; no password is ever part of it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = lines[-1].rstrip("?.") if lines else type(error).__name__
    return f"PostgreSQL does not answer: {reason}. Check that it runs and that {setting} names its host, database, role and password."
