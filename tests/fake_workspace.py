"""A workspace in memory; passes the port's suite."""

import hashlib

from domain.errors import InvalidInput, NotFound
from domain.workspace import FILES_MAX, RUN_BYTES_MAX, WorkspaceFile


class FakeWorkspace:
    """Implements `domain.workspace.Workspace`."""

    def __init__(self) -> None:
        self._files: dict[tuple[str, str, str], bytes] = {}

    async def write(self, tenant: str, run: str, path: str, content: bytes) -> WorkspaceFile:
        """Store a file."""
        others = [len(c) for (t, r, p), c in self._files.items() if (t, r) == (tenant, run) and p != path]
        if len(others) >= FILES_MAX or sum(others) + len(content) > RUN_BYTES_MAX:
            raise InvalidInput(f"the workspace holds at most {FILES_MAX} files and {RUN_BYTES_MAX} bytes")
        self._files[tenant, run, path] = content
        return _file(path, content)

    async def read(self, tenant: str, run: str, path: str) -> bytes:
        """Return a file's content."""
        if (tenant, run, path) not in self._files:
            raise NotFound(f"there is no file {path}")
        return self._files[tenant, run, path]

    async def list(self, tenant: str, run: str, folder: str = "") -> list[WorkspaceFile]:
        """Return the files below a folder."""
        mine = sorted((p, c) for (t, r, p), c in self._files.items() if (t, r) == (tenant, run))
        return [_file(path, content) for path, content in mine if not folder or path.startswith(folder + "/")]


def _file(path: str, content: bytes) -> WorkspaceFile:
    digest = hashlib.sha256(content).hexdigest()
    return WorkspaceFile(path=path, size=len(content), sha256=digest, written_at="2026-01-05T09:00:00.000000Z")
