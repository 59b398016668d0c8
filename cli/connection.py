"""The options that every remote command has, and the client they lead to."""

from dataclasses import dataclass
from pathlib import Path

import typer

from standfast_client import Standfast
from standfast_client.settings import DEFAULT_ROLE, find_connection

REVIEWER_ROLE = "approver"
"""Whose key of `dev.json` decides when nobody is named: the principal that started a run may not decide its approvals."""


@dataclass(frozen=True)
class Globals:
    """The global options as given; None means not given."""

    url: str | None = None
    key: str | None = None
    role: str | None = None
    state_dir: Path | None = None


def globals_of(ctx: typer.Context) -> Globals:
    """Return the global options of this call."""
    found = ctx.find_object(Globals)
    return found if found is not None else Globals()


def open_client(ctx: typer.Context, *, default_role: str = DEFAULT_ROLE) -> Standfast:
    """Return a client for the gateway that the options, the environment or `dev.json` name; it is closed when the command ends.

    Args:
        ctx: The command's context.
        default_role: Whose key of `dev.json` to use when neither a key nor a role is given.
    """
    given = globals_of(ctx)
    connection = find_connection(given.url, given.key, role=given.role, default_role=default_role, state_dir=given.state_dir)
    client = Standfast(connection.url, connection.key)
    ctx.call_on_close(client.close)
    return client
