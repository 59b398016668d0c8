"""Keeps heads in a file, one JSON object a line, appended and flushed to the disk; `standfast verify --head` reads it as it stands.

It proves something only where the database's administrators cannot write: another machine, or an append-only or write-once volume.
"""

import asyncio
import json
import os
from pathlib import Path

from domain.errors import Unavailable
from domain.tree_heads import SignedTreeHead


class FileAnchor:
    """Implements `Anchor`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        """`file:` and the path."""
        return f"file:{self._path}"

    async def keep(self, head: SignedTreeHead) -> None:
        """Append a line.

        Raises:
            Unavailable: the file cannot be written.
        """
        line = json.dumps(head.document(), separators=(",", ":")).encode() + b"\n"
        try:
            await asyncio.to_thread(_append, self._path, line)
        except OSError as error:
            raise Unavailable(f"the anchor file {self._path} cannot be written: {error.strerror or error}") from error

    async def aclose(self) -> None:
        """Nothing stays open between heads."""


def _append(path: Path, line: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        end = os.fstat(handle).st_size
        torn = end > 0 and os.pread(handle, 1, end - 1) != b"\n"  # a crash in the middle of a line must not spoil the next one
        os.write(handle, b"\n" + line if torn else line)
        os.fsync(handle)
    finally:
        os.close(handle)
