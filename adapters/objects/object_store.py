"""The object store port on obstore: one class for every kind of store, chosen by URL. It sees ciphertext only."""

import asyncio
import os
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore
from obstore.store import ObjectStore as AnyStore
from obstore.store import from_url as store_from_url

from domain.errors import InvalidInput, ReferenceMissing, Unavailable
from domain.objects import StoredObject

SCHEMES = ("file", "s3", "gs", "az", "memory")
"""What the URL of an object store may begin with."""


class ObstoreObjects:
    """Implements `ObjectStore`. `folder` is that of a local store: its files are then synced to disk before `put` returns."""

    def __init__(self, store: AnyStore, *, folder: Path | None = None) -> None:
        self._store = store
        self._folder = folder

    async def put(self, path: str, content: bytes) -> None:
        """Store durably; the same path again replaces.

        Raises:
            Unavailable: the store does not take it.
        """
        with _translated(path):
            await obstore.put_async(self._store, path, content)
        if self._folder is not None:
            await asyncio.to_thread(_sync, self._folder / path)

    async def get(self, path: str) -> bytes:
        """Return the bytes.

        Raises:
            ReferenceMissing: there is no such object.
            Unavailable: the store does not answer.
        """
        with _translated(path):
            found = await obstore.get_async(self._store, path)
            return bytes(await found.bytes_async())

    async def delete(self, paths: list[str]) -> None:
        """Remove objects; those that are not there are no error.

        Raises:
            Unavailable: the store does not answer.
        """
        for path in paths:
            try:
                with _translated(path):
                    await obstore.delete_async(self._store, path)
            except ReferenceMissing:
                continue

    async def under(self, prefix: str) -> AsyncIterator[StoredObject]:
        """Give every object below a folder.

        Raises:
            Unavailable: the store does not answer.
        """
        with _translated(prefix):
            async for batch in obstore.list(self._store, prefix):  # pyright: ignore[reportUnknownMemberType]  # its arrow variant needs a library we lack
                for found in batch:
                    age_s = (datetime.now(UTC) - found["last_modified"]).total_seconds()
                    yield StoredObject(path=found["path"], size=found["size"], age_s=age_s)


def local_objects(folder: Path) -> ObstoreObjects:
    """Return the store in a local folder, which is made when it is missing, for its owner alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return ObstoreObjects(LocalStore(folder), folder=folder)


def objects_at(url: str) -> ObstoreObjects:
    """Return the store at a URL; credentials come from the environment that the store's vendor names.

    Raises:
        InvalidInput: the URL names no store of a known kind.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "file":
        return local_objects(Path(rest))
    if scheme not in SCHEMES:
        raise InvalidInput(f"STANDFAST_OBJECTS_URL begins with one of {', '.join(f'{each}://' for each in SCHEMES)}, not {scheme[:20]!r}")
    try:
        return ObstoreObjects(store_from_url(url))
    except (BaseError, ValueError) as error:
        raise InvalidInput(f"STANDFAST_OBJECTS_URL cannot be used: {_first_line(error)}") from error


@contextmanager
def _translated(path: str) -> Generator[None]:
    """Turn obstore's errors into ours.

    Raises:
        ReferenceMissing: there is no such object.
        Unavailable: anything else.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise ReferenceMissing(f"the object {path} is missing or erased") from error
    except (BaseError, OSError) as error:
        raise Unavailable(f"the object store does not answer: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    """Return what a person reads; obstore adds pages of Rust structures."""
    return str(error).partition("\n")[0]


def _sync(path: Path) -> None:
    """Write a file and its folders' entries through to the disk; obstore renames, and does not sync."""
    for each in (path, path.parent, path.parent.parent):
        handle = os.open(each, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
