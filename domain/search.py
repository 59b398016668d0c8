"""The port of web search. Pure."""

from typing import Protocol

from domain.model import Value


class SearchResult(Value):
    """One result, as strangers wrote it."""

    url: str
    title: str
    snippet: str


class SearchEngine(Protocol):
    """Searches the web."""

    async def search(self, query: str, *, language: str | None, page: int, deadline_s: float) -> list[SearchResult]:
        """Return a page of results, best first; pages count from 1. Raises: ToolFailed, ToolUnavailable."""
        ...

    async def aclose(self) -> None:
        """Close its connections."""
        ...
