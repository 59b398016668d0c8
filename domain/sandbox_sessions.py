"""The port of sandboxes that are spoken with: a program that lives on and answers over its standard streams. Pure."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from domain.sandbox import SandboxProfile


class SandboxProcess(Protocol):
    """A running program."""

    async def read(self) -> bytes:
        """Return what it wrote next to standard output; empty once it ended."""
        ...

    async def write(self, data: bytes) -> None:
        """Write to its standard input; a program that is gone is no error, its end is read."""
        ...

    def complaint(self) -> str:
        """Return the end of what it wrote to standard error, and why it was ended if a limit did it."""
        ...


class SandboxSessions(Protocol):
    """Starts programs in a sandbox."""

    def started(
        self, profile: SandboxProfile, command: list[str], *, files: Mapping[str, bytes], environment: Mapping[str, str]
    ) -> AbstractAsyncContextManager[SandboxProcess]:
        """Run `command` beside `files` for as long as the context lasts, at most for the profile's time; leaving it kills the whole tree.

        `environment` is put into the program's own environment and appears in no argument list.

        Raises:
            SandboxUnavailable: this machine lacks the backend; says what to install.
        """
        ...
