"""The sandbox port: run untrusted code under a named profile, with hard limits and no residue. Pure."""

from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

from domain.model import Value


class SandboxProfile(Value):
    """Named limits. Memory and output in bytes, wall and cpu in seconds. Network is off unless named otherwise."""

    name: str
    backend: Literal["monty", "bubblewrap", "docker"]
    wall_s: float = 10.0
    cpu_s: float = 10.0
    memory_bytes: int = 128 * 1024 * 1024
    pids: int = 32
    output_bytes: int = 64 * 1024
    network: Literal["none"] = "none"
    image: str | None = None


class SandboxResult(Value):
    """How a run in a sandbox ended. `ended` is why; output beyond the limit is cut and `truncated` set.

    `value` is the JSON text of the last expression, for backends that have one (monty).
    """

    ended: Literal["exit", "timeout", "memory", "output", "error"]
    exit_code: int
    stdout: str
    stderr: str
    value: str | None = None
    truncated: bool = False
    duration_ms: int = 0


OnOutput = Callable[[str, bytes], Awaitable[None]]
"""Receives (stream name, chunk) while the code runs."""


class Sandbox(Protocol):
    """A sandbox backend."""

    async def run(
        self,
        profile: SandboxProfile,
        command: list[str],
        *,
        files: dict[str, bytes],
        stdin: bytes = b"",
        on_output: OnOutput | None = None,
    ) -> SandboxResult:
        """Run `command` (for monty: `["python", "main.py"]`) beside `files`; cancelling kills it at once.

        Raises:
            SandboxUnavailable: this machine lacks the backend; says what to install.
        """
        ...
