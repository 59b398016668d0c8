"""Lists of one SQL type as psycopg parameters in binary form, packed in one go.

psycopg asks a dumper for each element of a list, and of a list of `str` sends text that is quoted and parsed again. A journal statement
takes twenty lists of up to CALLS_MAX elements; these four classes say of what type a list is, and take a fifth of the time.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import cast

import psycopg
from psycopg import pq
from psycopg.abc import AdaptContext
from psycopg.adapt import Dumper

_HEAD = struct.Struct(">iiIii").pack
"""Dimensions, whether an element is null, the elements' type, and of the one dimension its length and first index."""

_NO_ELEMENT = struct.Struct(">iiI").pack
_LENGTH = struct.Struct(">i").pack
_NULL = _LENGTH(-1)

INTEGER, BIGINT, TEXT, BYTEA = 23, 20, 25, 17
"""Object ids of the elements' types; fixed in PostgreSQL's catalogue `pg_type.dat`, as those of the arrays below."""


class Integers(list[int | None]):
    """An `integer[]`."""


class Bigints(list[int | None]):
    """A `bigint[]`."""


class Texts(list[str | None]):
    """A `text[]`."""


class Blobs(list[bytes | None]):
    """A `bytea[]`."""


ARRAYS: dict[str, type[list[int | None]] | type[list[str | None]] | type[list[bytes | None]]] = {
    "integer": Integers,
    "bigint": Bigints,
    "text": Texts,
    "bytea": Blobs,
}
"""The class of an array by the SQL name of its elements' type."""


def array_of(kind: str, values: Iterable[object] = ()) -> list[object]:
    """Return an array parameter of an SQL type; of types that are not in ARRAYS psycopg makes one itself."""
    return cast("list[object]", ARRAYS[kind](values)) if kind in ARRAYS else list(values)  # pyright: ignore[reportArgumentType]  # SQL checks


def _packed(element_oid: int, size: int, elements: bytes, *, has_null: bool) -> bytes:
    return _HEAD(1, has_null, element_oid, size, 1) + elements if size else _NO_ELEMENT(0, 0, element_oid)


class _IntegersDumper(Dumper):
    """Packs an `integer[]`."""

    format = pq.Format.BINARY
    oid = 1007
    element, code, width = INTEGER, "i", 4

    def dump(self, obj: Sequence[int | None]) -> bytes:
        """Return the array as PostgreSQL's `array_recv` reads it.

        Raises:
            DataError: a number is too large for its type.
        """
        try:
            if None in obj:
                parts = (_NULL if value is None else struct.pack(f">i{self.code}", self.width, value) for value in obj)
                return _packed(self.element, len(obj), b"".join(parts), has_null=True)
            flat: list[int] = [self.width] * (2 * len(obj))
            flat[1::2] = cast("Sequence[int]", obj)
            return _packed(self.element, len(obj), struct.pack(">" + f"i{self.code}" * len(obj), *flat), has_null=False)
        except struct.error as error:
            raise psycopg.DataError(f"a number is no {self.width}-byte integer: {error}") from error


class _BigintsDumper(_IntegersDumper):
    """Packs a `bigint[]`."""

    oid = 1016
    element, code, width = BIGINT, "q", 8


class _BlobsDumper(Dumper):
    """Packs a `bytea[]`."""

    format = pq.Format.BINARY
    oid = 1001

    def dump(self, obj: Sequence[bytes | None]) -> bytes:
        """Return the array as PostgreSQL's `array_recv` reads it."""
        return _pack_parts(BYTEA, obj)


class _TextsDumper(Dumper):
    """Packs a `text[]`; the server refuses what its encoding or its type lacks."""

    format = pq.Format.BINARY
    oid = 1009

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        encoding = "utf-8" if self.connection is None else self.connection.info.encoding
        self._encoding = "utf-8" if encoding == "ascii" else encoding

    def dump(self, obj: Sequence[str | None]) -> bytes:
        """Return the array as PostgreSQL's `array_recv` reads it."""
        return _pack_parts(TEXT, [None if value is None else value.encode(self._encoding) for value in obj])


def _pack_parts(element_oid: int, parts: Sequence[bytes | None]) -> bytes:
    flat: list[bytes] = []
    for part in parts:
        if part is None:
            flat.append(_NULL)
        else:
            flat += (_LENGTH(len(part)), part)
    return _packed(element_oid, len(parts), b"".join(flat), has_null=None in parts)


for _array, _dumper in ((Integers, _IntegersDumper), (Bigints, _BigintsDumper), (Texts, _TextsDumper), (Blobs, _BlobsDumper)):
    psycopg.adapters.register_dumper(_array, _dumper)
