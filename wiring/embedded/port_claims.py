"""Ports that are chosen and not yet listened on: two stacks that start at the same time must not choose the same."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from wiring.embedded.cache import cache_folder
from wiring.embedded.ports import port_is_free, random_ports


def claims_folder() -> Path:
    """Return where the stacks and tests of this user keep their claims."""
    return cache_folder() / "ports"


@contextmanager
def claimed_ports(count: int) -> Generator[list[int]]:
    """Give that many ports for servers that start now; no stack and no other test takes them until the block ends."""
    claims = PortClaims(claims_folder())
    try:
        yield [claims.choose() for _ in range(count)]
    finally:
        claims.release()


class PortClaims:
    """The ports of one stack, held by a locked file each; the kernel lets go when the process dies, however it dies."""

    def __init__(self, folder: Path) -> None:
        """Claim nothing yet.

        Args:
            folder: Where all stacks of this user keep their lock files; made when it is absent.
        """
        self._folder = folder
        self._held: list[IO[str]] = []

    def choose(self, preferred: int | None = None) -> int:
        """Return the preferred port when nobody uses or has claimed it, else another such one; it is claimed then."""
        choices = random_ports()
        port = next(choices) if preferred is None else preferred
        while not self._claim(port):
            port = next(choices)
        return port

    def release(self) -> None:
        """Give all claims back; a lock file is deleted while it is locked, see `_is_at`."""
        while self._held:
            with self._held.pop() as handle:
                Path(handle.name).unlink(missing_ok=True)

    def _claim(self, port: int) -> bool:
        """Claim a port unless somebody else has it. Where no lock file can be made, free is as good as claimed."""
        if not port_is_free(port):
            return False
        path = self._folder / str(port)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle = path.open("a", encoding="utf-8")
        except OSError:
            return True
        if not (_locked(handle) and _is_at(path, handle)):
            handle.close()
            return False
        self._held.append(handle)
        return True


def _locked(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(path: Path, handle: IO[str]) -> bool:
    """Tell whether the locked file still has its name: its last holder may have deleted it before we had the lock."""
    try:
        return os.path.samestat(path.stat(), os.fstat(handle.fileno()))
    except FileNotFoundError:
        return False
