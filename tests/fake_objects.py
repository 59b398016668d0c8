"""The object store in memory, honest to `domain/objects.py`."""

import time
from collections.abc import AsyncIterator

from domain.errors import ReferenceMissing
from domain.objects import StoredObject


class FakeObjects:
    """Implements `ObjectStore`; `stored` maps a path to (bytes, when by the monotonic clock)."""

    def __init__(self) -> None:
        self.stored: dict[str, tuple[bytes, float]] = {}

    async def put(self, path: str, content: bytes) -> None:
        """Keep the bytes."""
        self.stored[path] = (bytes(content), time.monotonic())

    async def get(self, path: str) -> bytes:
        """Return the bytes."""
        if path not in self.stored:
            raise ReferenceMissing(f"the object {path} is missing or erased")
        return self.stored[path][0]

    async def delete(self, paths: list[str]) -> None:
        """Forget objects."""
        for path in paths:
            self.stored.pop(path, None)

    async def under(self, prefix: str) -> AsyncIterator[StoredObject]:
        """Give what is below a folder."""
        for path, (content, at) in sorted(self.stored.items()):
            if path.startswith(prefix + "/"):
                yield StoredObject(path=path, size=len(content), age_s=time.monotonic() - at)
