"""Reads a list of any length page by page."""

from typing import TypeVar

from pydantic import BaseModel

from standfast_client.exchange import Flow, Link, Parameter, get, parse
from standfast_client.models import Page

M = TypeVar("M", bound=BaseModel)

PAGE_ITEMS_MAX = 200
"""The most items asked for at once; the gateway's own limit."""


def paged(link: Link, path: str, item: type[M], limit: int, **query: Parameter) -> Flow[list[M]]:
    """Read pages of a list until `limit` items are there, or no more are."""
    found: list[M] = []
    cursor: str | None = None
    while len(found) < limit:
        request = get(path, limit=min(limit - len(found), PAGE_ITEMS_MAX), cursor=cursor, **query)
        part = parse((yield from link.ask(request)), Page[item])
        found += part.items
        cursor = part.next_cursor
        if cursor is None:
            break
    return found
