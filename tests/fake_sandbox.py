"""A sandbox that understands a language of eight words and keeps its limits by counting; it passes the suite of the real ones."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Literal

from domain.errors import InvalidInput, SandboxUnavailable
from domain.sandbox import OnOutput, SandboxProfile, SandboxResult

Ended = Literal["exit", "timeout", "memory", "output", "error"]
BLOCK_BYTES = 1024 * 1024


class _Over(Exception):
    """The program ended: why, and with which code."""

    def __init__(self, ended: Ended, code: int) -> None:
        super().__init__(ended)
        self.ended: Ended = ended
        self.code = code


class FakeSandbox:
    """Runs `["fake", NAME]`: each line of the file is one word and its argument.

    `print TEXT`, `warn TEXT`, `show FILE`, `write FILE`, `stdin`, `environment`, `fail CODE`, `value JSON`, and the four that never
    end by themselves: `loop`, `sleep`, `eat`, `flood`. With `answer` every run gives that result; `missing_reason` makes it unavailable.
    """

    def __init__(self, *, answer: SandboxResult | None = None, missing_reason: str | None = None) -> None:
        self.answer = answer
        self.missing_reason = missing_reason
        self.runs: list[tuple[SandboxProfile, list[str], dict[str, bytes]]] = []
        self.inputs: list[bytes] = []
        self.closed = False

    async def run(
        self,
        profile: SandboxProfile,
        command: list[str],
        *,
        files: dict[str, bytes],
        stdin: bytes = b"",
        on_output: OnOutput | None = None,
    ) -> SandboxResult:
        """Run the program, or give the answer set."""
        if self.missing_reason is not None:
            raise SandboxUnavailable(self.missing_reason)
        if any(name.startswith("/") or ".." in name.split("/") for name in (*files, *profile.files_out)):
            raise InvalidInput("the file name must stay in the work folder", where="/files")
        reason = self.unfit(profile)
        if reason is not None:
            raise SandboxUnavailable(reason)
        self.runs.append((profile, command, files))
        self.inputs.append(stdin)
        if self.answer is not None:
            return self.answer
        return await _Program(profile, dict(files), stdin, on_output).result(files[command[1]].decode())

    def unfit(self, profile: SandboxProfile) -> str | None:
        """Have no network."""
        return "the fake has no network" if profile.network == "allow" else None

    async def missing(self) -> str | None:
        """Say what it was told."""
        return self.missing_reason

    async def aclose(self) -> None:
        """Note it."""
        self.closed = True


class _Program:
    """One run."""

    def __init__(self, profile: SandboxProfile, files: dict[str, bytes], stdin: bytes, on_output: OnOutput | None) -> None:
        self._profile = profile
        self._files = files
        self._stdin = stdin
        self._on_output = on_output
        self._written = {"stdout": b"", "stderr": b""}
        self._value: str | None = None

    async def result(self, source: str) -> SandboxResult:
        """Follow the lines to the end or to a limit."""
        began_s = time.monotonic()
        ended: Ended = "exit"
        code = 0
        try:
            async with asyncio.timeout(self._profile.wall_s):
                for line in source.splitlines():
                    await self._follow(*line.partition(" ")[::2])
        except TimeoutError:
            ended, code = "timeout", 137
        except _Over as over:
            ended, code = over.ended, over.code
        return SandboxResult(
            ended=ended,
            exit_code=code,
            stdout=self._written["stdout"].decode(),
            stderr=self._written["stderr"].decode(),
            value=self._value,
            truncated=ended == "output",
            duration_ms=round((time.monotonic() - began_s) * 1000),
            files={name: self._files[name] for name in self._profile.files_out if name in self._files},
        )

    async def _follow(self, word: str, argument: str) -> None:
        """Do what one line says."""
        texts: dict[str, Callable[[], bytes]] = {
            "print": argument.encode,
            "show": lambda: self._files.get(argument, b"no such file"),
            "stdin": lambda: self._stdin,
            "environment": lambda: b"",
        }
        endless: dict[str, Callable[[], Awaitable[None]]] = {
            "loop": self._wait,
            "sleep": self._wait,
            "eat": self._eat,
            "flood": self._flood,
        }
        if word in texts:
            await self._write("stdout", texts[word]())
        elif word == "warn":
            await self._write("stderr", argument.encode())
        elif word == "fail":
            raise _Over("exit", int(argument))
        elif word == "write":
            self._files[argument] = b"written"
        elif word == "value":
            self._value = argument
        else:
            await endless[word]()

    async def _write(self, stream: str, chunk: bytes) -> None:
        """Write up to the limit."""
        room = self._profile.output_bytes - sum(len(text) for text in self._written.values())
        self._written[stream] += chunk[:room]
        if self._on_output is not None and chunk[:room]:
            await self._on_output(stream, chunk[:room])
        if len(chunk) > room:
            raise _Over("output", 137)

    async def _wait(self) -> None:
        """Wait for the wall clock."""
        await asyncio.Event().wait()

    async def _eat(self) -> None:
        """Count up to the memory limit."""
        eaten = 0
        while eaten <= self._profile.memory_bytes:
            eaten += BLOCK_BYTES
        raise _Over("memory", 137)

    async def _flood(self) -> None:
        """Write until stopped."""
        while True:
            await self._write("stdout", b"x" * BLOCK_BYTES)
