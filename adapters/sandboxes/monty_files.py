"""The files of a monty run: in memory of the worker, so counted; a snippet that writes more than its disk gets ENOSPC."""

import errno
import os
from pathlib import PurePosixPath

from pydantic_monty import MemoryFile, MontyFileHandle, OSAccess
from pydantic_monty.os_access import path_from_arg

from adapters.sandboxes.work_files import checked_name
from domain.sandbox import SandboxProfile

ENTRY_BYTES = 512
"""What a file or folder takes beside its content."""
WORK = PurePosixPath("/work")


class CountedFiles(OSAccess):
    """The files given to a run and those it writes. Room once taken is not given back, since the library keeps deleted files too."""

    def __init__(self, files: dict[str, bytes], profile: SandboxProfile) -> None:
        super().__init__([MemoryFile(f"/work/{checked_name(name)}", content=content) for name, content in files.items()])
        self._room = profile.disk_bytes
        self._wanted = [checked_name(name) for name in profile.files_out]

    def left(self) -> dict[str, bytes]:
        """Return the wanted files that are there."""
        return {name: self.path_read_bytes(WORK / name) for name in self._wanted if self.path_is_file(WORK / name)}

    def path_open(self, path: PurePosixPath, mode: str) -> MontyFileHandle:
        """Open; a file that is made takes room."""
        if not self.path_exists(path):
            self._take(ENTRY_BYTES)
        return super().path_open(path, mode)

    def path_mkdir(self, path: PurePosixPath, parents: bool, exist_ok: bool) -> None:  # noqa: FBT001 - the library's signature
        """Make a folder, and those above it."""
        self._take(ENTRY_BYTES * (len(path.parts) if parents else 1))
        super().path_mkdir(path, parents, exist_ok)

    def path_write_text(self, path: PurePosixPath | MontyFileHandle, data: str) -> int:
        """Write a text."""
        self._grow(path, len(data.encode("utf-8", errors="surrogatepass")))
        return super().path_write_text(path, data)

    def path_write_bytes(self, path: PurePosixPath | MontyFileHandle, data: bytes) -> int:
        """Write bytes."""
        self._grow(path, len(data))
        return super().path_write_bytes(path, data)

    def path_append_text(self, path: PurePosixPath | MontyFileHandle, data: str) -> int:
        """Append a text."""
        self._take(len(data.encode("utf-8", errors="surrogatepass")))
        return super().path_append_text(path, data)

    def path_append_bytes(self, path: PurePosixPath | MontyFileHandle, data: bytes) -> int:
        """Append bytes."""
        self._take(len(data))
        return super().path_append_bytes(path, data)

    def _grow(self, path: PurePosixPath | MontyFileHandle, size: int) -> None:
        """Take room for what a file grows by when it is written anew."""
        place = path_from_arg(path)
        there = self.path_stat(place).st_size if self.path_is_file(place) else -ENTRY_BYTES
        self._take(max(0, size - there))

    def _take(self, size: int) -> None:
        """Take room.

        Raises:
            OSError: ENOSPC, there is none left.
        """
        if size > self._room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._room -= size
