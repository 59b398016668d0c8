"""Which schema this version works with, and whether a database has it.

Apart from `migrate`, since every process asks this at its start and Alembic with SQLAlchemy takes a second to import: the revisions are
read from the migrations' text.
"""

import re
from functools import cache
from importlib.resources import files

from adapters.postgres.pool import Database
from domain.errors import Unavailable

_ASSIGNED = re.compile(r"^(down_revision|revision)(?:: [^=]+)? = (?:\"([^\"]+)\"|None)$", re.MULTILINE)
"""The two assignments by which Alembic orders migrations, as the template writes them."""


@cache
def _parents() -> dict[str, str | None]:
    """Return each revision with the one before it."""
    parents: dict[str, str | None] = {}
    for file in (files("adapters.postgres.migrations") / "versions").iterdir():
        if file.name.endswith(".py"):
            named = {name: value or None for name, value in _ASSIGNED.findall(file.read_text(encoding="utf-8"))}
            if revision := named.get("revision"):
                parents[revision] = named.get("down_revision")
    return parents


def newest_revision() -> str:
    """Return the revision this version of Standfast works with.

    Raises:
        Unavailable: the installation lacks its migrations.
    """
    newest = set(_parents()) - set(_parents().values())
    if len(newest) != 1:
        raise Unavailable("this installation has no migrations, or not one newest: install Standfast again")
    return newest.pop()


def revisions() -> list[str]:
    """Return every revision, oldest first."""
    parents = _parents()
    listed: list[str] = []
    while (revision := next((name for name, parent in parents.items() if parent == (listed[-1] if listed else None)), None)) is not None:
        listed.append(revision)
    return listed


def refuse_unknown(revision: str | None) -> None:
    """Refuse a schema that this version does not know.

    Raises:
        Unavailable: it is newer.
    """
    if revision is not None and revision not in _parents():
        raise Unavailable(
            f"the database is at schema revision {revision}, and this version of Standfast knows up to {newest_revision()}: "
            "upgrade Standfast, or point DATABASE_URL at another database"
        )


async def check_schema_version(db: Database) -> None:
    """Refuse to work on a schema that is absent, older or newer than this version.

    Raises:
        Unavailable: it does not fit, and what to do about it; or the database does not answer.
    """
    async with db.platform() as tx:
        there = await tx.row("SELECT to_regclass('public.alembic_version') IS NOT NULL AS there")
        row = await tx.row("SELECT version_num FROM public.alembic_version") if there and there["there"] else None
    revision = None if row is None else str(row["version_num"])
    refuse_unknown(revision)
    if revision != newest_revision():
        raise Unavailable(f"the database is at schema revision {revision or 'none'} and needs {newest_revision()}: run `standfast migrate`")
