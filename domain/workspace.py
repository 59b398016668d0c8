"""A run's workspace: files that its tools share, whichever worker calls them. Pure: path rules, bounds, and the port.

Nothing lies on a worker's disk: a file is a sealed payload of its run and a row that names it, so it survives the worker, is erased with
the run, and can be reached by no path of any machine.
"""

import re
import unicodedata
from typing import Protocol

from domain.errors import InvalidInput
from domain.model import Value

FILE_BYTES_MAX = 4 * 1024 * 1024
FILES_MAX = 500
RUN_BYTES_MAX = 64 * 1024 * 1024
PATH_CHARS_MAX = 300
SEGMENTS_MAX = 16
_SEGMENT = re.compile(r"[^\x00-\x1f\x7f/\\:*?\"<>|]{1,100}")
"""What every file system and archive could hold, so that a workspace can be exported."""


class WorkspaceFile(Value):
    """A file as a listing shows it; `written_at` is RFC 3339 UTC."""

    path: str
    size: int
    sha256: str
    written_at: str


class Workspace(Protocol):
    """The files of runs; paths are checked ones."""

    async def write(self, tenant: str, run: str, path: str, content: bytes) -> WorkspaceFile:
        """Store a file, or put another in its place.

        Raises:
            InvalidInput: the run has too many files, or too much in them.
        """
        ...

    async def read(self, tenant: str, run: str, path: str) -> bytes:
        """Return a file's content. Raises: NotFound."""
        ...

    async def list(self, tenant: str, run: str, folder: str = "") -> list[WorkspaceFile]:
        """Return the files below a folder ('' for all), by path."""
        ...


def checked_path(path: str, *, folder: bool = False) -> str:
    """Return a path as it is stored: relative, in Unicode's composed form, without empty or dotted parts; '' only for a folder.

    Raises:
        InvalidInput: it leads anywhere but into the workspace.
    """
    text = unicodedata.normalize("NFC", path)
    if folder:
        text = text.rstrip("/")
        if text in ("", "."):
            return ""
    parts = text.split("/")
    if len(text) > PATH_CHARS_MAX or len(parts) > SEGMENTS_MAX:
        raise InvalidInput(f"a path has at most {PATH_CHARS_MAX} characters and {SEGMENTS_MAX} parts", where="/path")
    for part in parts:
        if part in ("", ".", "..") or part != part.strip() or _SEGMENT.fullmatch(part) is None:
            raise InvalidInput(
                f"the path {path[:100]!r} leads out of the workspace or cannot be a file's: write it relative, such as notes/claim.txt",
                where="/path",
            )
        if any(unicodedata.category(char) in ("Cf", "Co", "Cs") for char in part):
            raise InvalidInput(f"the path {path[:100]!r} holds characters that do not show", where="/path")
    return text
