"""Arrays packed in one go arrive as PostgreSQL reads those that psycopg makes."""

import psycopg
import pytest
from psycopg.types.numeric import Int4

from adapters.postgres.arrays import array_of
from adapters.postgres.pool import Database

SAMPLES: list[tuple[str, list[object]]] = [
    ("integer", []),
    ("integer", [0, -1, 2**31 - 1, -(2**31)]),
    ("integer", [Int4(7)]),
    ("integer", [None, 5, None]),
    ("bigint", [2**63 - 1, -(2**63), 0]),
    ("bigint", [None]),
    ("text", []),
    ("text", ["", "NULL", None, 'a "quoted", {list}\\', "Zoë \U0001f600", "x" * 100_000]),
    ("bytea", [b"", b"\0\xff", None, b"\\x00", b"y" * 100_000]),
    ("bytea", []),
]


class TestArrays:
    @pytest.mark.parametrize(("kind", "values"), SAMPLES)
    async def test_arrive_as_they_are(self, db: Database, kind: str, values: list[object]) -> None:
        query = f"SELECT %s AS alone, %b::{kind}[] AS said, pg_typeof(%s)::text AS kind, %s = %s::{kind}[] AS same".encode()
        packed = array_of(kind, values)
        row = await db.select(query, [packed, packed, packed, packed, values])
        assert (row["alone"], row["said"], row["kind"], row["same"]) == (values, values, f"{kind}[]", True)

    @pytest.mark.parametrize(
        ("kind", "values"), [("integer", [2**31]), ("bigint", [None, 2**70]), ("integer", ["7"]), ("text", ["nul \0"])]
    )
    async def test_refuse_what_their_type_lacks(self, db: Database, kind: str, values: list[object]) -> None:
        with pytest.raises(psycopg.DataError):
            await db.select(b"SELECT %s AS said", [array_of(kind, values)])

    def test_of_other_types_are_left_to_psycopg(self) -> None:
        assert type(array_of("json", [{}])) is list
