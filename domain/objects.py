"""The object store port: large sealed payloads live there, and their row keeps a claim check (DESIGN §6). Pure: Protocol and values.

A path is `tenant/run/ref`. Objects are written before their row and deleted after it, so a crash leaves an object without a row,
never a row without its object.
"""

from collections.abc import AsyncIterator
from typing import Protocol

from domain.model import Value

PAYLOAD_BYTES_MAX = 32 * 1024 * 1024
"""Largest payload, in bytes of canonical JSON: a worker holds some of them in memory at once, in clear and sealed."""


class StoredObject(Value):
    """One object as a listing shows it; `age_s` is how long ago it was written, by the store's own clock."""

    path: str
    size: int
    age_s: float


class ObjectStore(Protocol):
    """Keeps bytes by path."""

    async def put(self, path: str, content: bytes) -> None:
        """Store durably; the same path again replaces. Raises: Unavailable."""
        ...

    async def get(self, path: str) -> bytes:
        """Return the bytes. Raises: ReferenceMissing, Unavailable."""
        ...

    async def delete(self, paths: list[str]) -> None:
        """Remove objects; those that are not there are no error. Raises: Unavailable."""
        ...

    def under(self, prefix: str) -> AsyncIterator[StoredObject]:
        """Give every object below a folder, such as `tenant/run`. Raises: Unavailable."""
        ...


def object_path(tenant: str, run: str, ref: str) -> str:
    """Return where a payload's object lives."""
    return f"{tenant}/{run}/{ref}"
