"""Databases that the operator declared for reading, and the bounds of a query. Pure."""

from typing import Protocol

from pydantic import JsonValue

from domain.model import Value

ROWS_MAX = 1000
ANSWER_BYTES_MAX = 512 * 1024
QUERY_CHARS_MAX = 10_000
STATEMENT_S = 10.0


class QueryResult(Value):
    """What a query gave: column names, and rows in their order; `truncated` says that there were more."""

    columns: list[str]
    rows: list[list[JsonValue]]
    truncated: bool = False


class QueryDatabases(Protocol):
    """The declared databases."""

    def names(self, tenant: str) -> list[str]:
        """Return the names that a tenant may use, sorted."""
        ...

    async def query(
        self, tenant: str, name: str, query: str, parameters: list[JsonValue], *, rows_max: int, deadline_s: float
    ) -> QueryResult:
        """Run one reading statement; parameters stand as `$1`, `$2`.

        Raises:
            ToolFailed: there is no such database, or the statement errs, writes, or takes too long.
            ToolUnavailable: the database does not answer.
        """
        ...
