"""Query parameters of memory."""

from typing import Annotated

from fastapi import Depends, Path, Query
from pydantic import StringConstraints

from api.queries import Cursor, Limit
from domain.errors import InvalidId
from domain.memory import NAMESPACE, RECORD
from domain.model import Value


class MemoryListQuery(Value):
    """`namespace` is one alone; `quarantined` leaves out what is recalled."""

    namespace: Annotated[str, StringConstraints(pattern=NAMESPACE)] | None = None
    quarantined: bool = False
    limit: Limit = 50
    cursor: Cursor | None = None


def _record(record_id: Annotated[str, Path(description="mem_ and 26 characters")]) -> str:
    """Return a record's id.

    Raises:
        InvalidId: it is none.
    """
    if RECORD.fullmatch(record_id) is None:
        raise InvalidId("a memory's id is mem_ and 26 characters")
    return record_id


MemoryList = Annotated[MemoryListQuery, Query()]
RecordIdInPath = Annotated[str, Depends(_record)]
