"""The `monty` backend: a subset of Python in a pool of worker processes, without files, network, processes or environment.

Clock and entropy are the system's. Files given to a run are read from memory beside `main.py`; `inputs.json`, if given, is also
bound as the global variable `inputs`. Pinned to pydantic-monty 1.4.0, whose limit keys are checked by name.
"""

import asyncio
import atexit
import functools
import json
import math
import os
import time
from contextlib import suppress
from typing import Literal, Self, cast

from pydantic_monty import (
    AsyncMonty,
    MontyConversionError,
    MontyCrashedError,
    MontyError,
    MontyRuntimeError,
    MontySyntaxError,
    ResourceLimits,
)

from adapters.sandboxes.monty_files import CountedFiles
from adapters.sandboxes.output import OutputCollector
from domain.errors import InvalidInput, SandboxUnavailable
from domain.sandbox import OnOutput, SandboxProfile, SandboxResult

Ended = Literal["exit", "timeout", "memory", "output", "error"]

GRACE_S = 1.0
"""How long after `wall_s` the pool is given to stop by itself before its worker is killed."""
WORKERS_MIN = 4
"""Runs that may wait on a sleep at once without holding up others, on machines with fewer processors."""
LINGER_S = 0.1
"""The library's threads let go of their last Python objects a moment after a call has returned; when the interpreter ends in that
moment, the process aborts (9 of 40 short scripts; 0 of 80 with this wait). So its end waits, once a pool was started."""
ENCODER = json.JSONEncoder(ensure_ascii=False)
INTEGER_MAX = 2**53 - 1
"""RFC 8785 numbers are doubles: integers beyond it leave the sandbox as text."""


class MontySandbox:
    """A long-lived worker pool, started with the first run; close it with `aclose`."""

    def __init__(self, *, workers: int | None = None) -> None:
        self._workers = workers or max(WORKERS_MIN, os.cpu_count() or 1)
        self._pool: AsyncMonty | None = None
        self._starting = asyncio.Lock()

    async def run(
        self,
        profile: SandboxProfile,
        command: list[str],
        *,
        files: dict[str, bytes],
        stdin: bytes = b"",
        on_output: OnOutput | None = None,
    ) -> SandboxResult:
        """Run `files["main.py"]`; an uncaught exception ends it as `exit` with code 1 and the traceback on stderr.

        Raises:
            InvalidInput: another command, no `main.py`, source that is no UTF-8, a file outside the work folder, or something on stdin.
            SandboxUnavailable: the worker binary cannot be started here, or the profile asks for a network.
        """
        reason = self.unfit(profile)
        if reason is not None:
            raise SandboxUnavailable(f"the profile {profile.name} needs monty: {reason}")
        code, inputs = _snippet(command, files, stdin)
        pool = self._pool or await self._started()
        async with OutputCollector(profile.output_bytes, on_output) as output:
            run = _Run(pool, profile, output)
            return await run.result(code, inputs, files)

    def unfit(self, profile: SandboxProfile) -> str | None:
        """Return why this backend cannot give a profile what it asks, or None."""
        if profile.network == "allow":
            return "it has no sockets, so no network can be allowed: use bubblewrap or docker"
        return None

    async def missing(self) -> str | None:
        """Return why the pool cannot start here, or None."""
        try:
            await self._started()
        except SandboxUnavailable as error:
            return error.detail
        return None

    async def _started(self) -> AsyncMonty:
        """Return the pool, starting it once.

        Raises:
            SandboxUnavailable: the worker binary does not start.
        """
        async with self._starting:
            if self._pool is None:
                _linger_at_exit()
                try:
                    self._pool = await AsyncMonty(min_processes=1, max_processes=self._workers).__aenter__()
                except (OSError, RuntimeError, MontyError) as error:
                    raise SandboxUnavailable(f"the monty worker does not start ({error}): install pydantic-monty==1.4.0 again") from error
            return self._pool

    async def aclose(self) -> None:
        """Stop the workers; the next run would start new ones."""
        async with self._starting:
            pool, self._pool = self._pool, None
            if pool is not None:
                await pool.__aexit__(None, None, None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the workers."""
        await self.aclose()


@functools.cache
def _linger_at_exit() -> None:
    """Have the interpreter's end wait for the library's threads; registered once."""
    atexit.register(time.sleep, LINGER_S)


def _snippet(command: list[str], files: dict[str, bytes], stdin: bytes) -> tuple[str, dict[str, object]]:
    """Return the source and its globals.

    Raises:
        InvalidInput: monty cannot run this.
    """
    if command[1:] != ["main.py"] or command[0] not in ("python", "python3") or "main.py" not in files:
        raise InvalidInput(f"monty runs only `python main.py` with that file given, not {' '.join(command)!r}: choose another backend")
    if stdin:
        raise InvalidInput("monty has no standard input: give the data as a file, or choose another backend")
    try:
        inputs = {"inputs": cast("object", json.loads(files["inputs.json"]))} if "inputs.json" in files else {}
        return files["main.py"].decode(), inputs
    except ValueError as error:
        raise InvalidInput(f"main.py must be UTF-8 and inputs.json must be JSON: {error}") from error


class _Run:
    """One run: limits in, ending out."""

    def __init__(self, pool: AsyncMonty, profile: SandboxProfile, output: OutputCollector) -> None:
        self._pool = pool
        self._profile = profile
        self._output = output
        self._began_s = time.monotonic()

    def _limits(self) -> ResourceLimits:
        """Return the profile in monty's words; sleeping is counted apart from execution."""
        return {
            "max_feed_duration_secs": min(self._profile.cpu_s, self._profile.wall_s),
            "max_total_sleep_secs": self._profile.wall_s,
            "max_memory": self._profile.memory_bytes,
        }

    def _printed(self, stream: Literal["stdout", "stderr"], text: str) -> None:
        """Take output; a raise here would be seen only when the code ends, so the collector cancels the run instead."""
        self._output.take(stream, text.encode("utf-8", errors="replace"))

    async def result(self, code: str, inputs: dict[str, object], files: dict[str, bytes]) -> SandboxResult:
        """Run and say how it ended; cancelling kills the worker."""
        beside = CountedFiles(files, self._profile)
        result = await self._fed(code, inputs, beside)
        return result.model_copy(update={"files": beside.left()}) if self._profile.files_out else result

    async def _fed(self, code: str, inputs: dict[str, object], beside: CountedFiles) -> SandboxResult:
        """Feed the snippet to a worker of the pool; a run that is cancelled, or takes too long, takes its worker with it."""
        failure: MontyError | None = None
        value: object = None
        timed_out = False
        async with self._pool.checkout(limits=self._limits()) as session:
            self._began_s = time.monotonic()
            try:
                async with asyncio.timeout(self._profile.wall_s + GRACE_S) as limit:
                    self._output.when_full(lambda: _end_now(limit))
                    value = await session.feed_run(code, inputs=inputs, print_callback=self._printed, os=beside, cwd="/work")
            except TimeoutError:
                timed_out = True
            except MontyError as error:
                failure = error
        if self._output.overflowed:
            return self._ended("output", 137, "")
        if timed_out:
            return self._ended("timeout", 137, f"stopped after {self._profile.wall_s:g} s")
        return self._valued(value) if failure is None else self._failed(failure)

    def _valued(self, value: object) -> SandboxResult:
        """End well, with the last expression as JSON."""
        try:
            text = None if value is None else ENCODER.encode(_jsonable(value))
        except RecursionError:
            return self._ended("exit", 1, "the value of the last expression is nested too deeply to leave the sandbox")
        if text is not None and len(text) * 4 > self._profile.output_bytes < len(text.encode()):
            return self._ended("output", 1, "the value of the last expression exceeds the output limit")
        return self._ended("exit", 0, "", value=text)

    def _failed(self, error: MontyError) -> SandboxResult:
        """End by what monty raised."""
        inner, message = error.exception(), str(error.exception())
        if isinstance(inner, TimeoutError) and "limit exceeded" in message:
            return self._ended("timeout", 137, message)
        if isinstance(inner, MemoryError) and ("limit exceeded" in message or "exceeded its memory limit" in message):
            return self._ended("memory", 137, message)
        if isinstance(error, MontyCrashedError):
            return self._ended("timeout" if error.timed_out else "error", 137, message)
        if isinstance(error, MontyConversionError):
            return self._ended("exit", 1, f"the value cannot leave the sandbox: {message}")
        shown = error.display() if isinstance(error, MontyRuntimeError | MontySyntaxError) else str(error)
        return self._ended("exit", 1, shown)

    def _ended(self, ended: Ended, exit_code: int, reason: str, *, value: str | None = None) -> SandboxResult:
        """Build the result; the reason follows what the code wrote to stderr."""
        stderr = self._output.text("stderr")
        if reason:
            room = max(0, self._profile.output_bytes - len(stderr.encode()))
            stderr += reason.encode()[:room].decode(errors="ignore")
        return SandboxResult(
            ended=ended,
            exit_code=exit_code,
            stdout=self._output.text("stdout"),
            stderr=stderr,
            value=value,
            truncated=self._output.overflowed or ended == "output",
            duration_ms=round((time.monotonic() - self._began_s) * 1000),
        )


def _end_now(limit: asyncio.Timeout) -> None:
    """End a run that wrote too much; one that has ended by itself meanwhile is fine."""
    with suppress(RuntimeError):
        limit.reschedule(0)


def _jsonable(value: object) -> object:
    """Return `value` made of JSON types only; dates, sets, decimals, NaN and huge integers become texts or lists."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if abs(value) <= INTEGER_MAX else _integer_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {str(key): _jsonable(each) for key, each in cast("dict[object, object]", value).items()}
    if isinstance(value, list | tuple):
        return [_jsonable(each) for each in cast("list[object]", value)]
    if isinstance(value, set | frozenset):
        return sorted((_jsonable(each) for each in cast("set[object]", value)), key=repr)
    return str(value)


def _integer_text(value: int) -> str:
    """Return a huge integer in decimal, or its size when CPython refuses to write it (over 4,300 digits)."""
    try:
        return str(value)
    except ValueError:
        return f"an integer of {value.bit_length()} bits"
