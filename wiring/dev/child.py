"""One supervised process: started in a group of its own with its log, watched, restarted, stopped with all it started."""

import asyncio
import errno
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from wiring.embedded.log_tail import end_of_log

_LOG_BYTES_MAX = 10 * 1024 * 1024
_LOG_BYTES_READ_MAX = 1024 * 1024
_ADDRESS_IN_USE = os.strerror(errno.EADDRINUSE).lower().encode()
_POLL_SECONDS = 0.02
_GROUP_SECONDS_MAX = 1.0
"""A killed process stays in its group until its parent collects it, which an idle container may never do."""


class ChildFailedError(Exception):
    """A part ended or stayed silent while the stack was starting; the text shows the end of its log."""


class PortTakenError(ChildFailedError):
    """A part ended while the stack was starting, because somebody else has a port it was to listen on."""

    def __init__(self, text: str, part: str, log: Path) -> None:
        """Keep the name of the part and its log beside the text."""
        super().__init__(text)
        self.part = part
        self.log = log


@dataclass(frozen=True, kw_only=True)
class ChildSpec:
    """How to run a part.

    Attributes:
        name: What the screen and `dev.json` call it.
        argv: Its command line.
        log: The file both its output streams go to.
        environment: Variables on top of this process's own.
        stop_signal: The signal that asks it to stop in order.
        before_start: Called before each start, the first included, to clear what a killed predecessor left.
    """

    name: str
    argv: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    stop_signal: signal.Signals = signal.SIGTERM
    before_start: Callable[[], None] | None = None


class Child:
    """A process made from a spec; a restarted part is a new Child."""

    def __init__(self, spec: ChildSpec, process: asyncio.subprocess.Process, *, log_start: int = 0) -> None:
        """Take over a process that was just started; its own lines begin at byte `log_start` of the log."""
        self.spec = spec
        self._process = process
        self._log_start = log_start

    @classmethod
    async def start(cls, spec: ChildSpec) -> "Child":
        """Start the process; it is not ready yet.

        Raises:
            ChildFailedError: When the program cannot be started at all.
        """
        if spec.before_start is not None:
            await asyncio.to_thread(spec.before_start)
        _turn_log(spec.log)
        with spec.log.open("ab") as log:
            log_start = log.tell()
            try:
                process = await asyncio.create_subprocess_exec(
                    *spec.argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, **spec.environment},
                    # A group of its own, so that Ctrl-C in the terminal reaches the supervisor only, which stops parts in order.
                    process_group=0,
                )
            except OSError as error:
                raise ChildFailedError(f"{spec.name} cannot be started: {error}") from error
        return cls(spec, process, log_start=log_start)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs, as far as is known."""
        return self._process.returncode is None

    async def ended(self) -> str:
        """Wait for the end of the process and say how it came, such as `exit code 1` or `signal SIGKILL`."""
        return describe_exit(await self._process.wait())

    async def stop(self, patience_seconds: float) -> None:
        """Ask the process to stop, wait, then kill it and whatever is left in its group."""
        if self.alive:
            with suppress(ProcessLookupError):
                self._process.send_signal(self.spec.stop_signal)
            with suppress(TimeoutError):
                async with asyncio.timeout(patience_seconds):
                    await self._process.wait()
        self.kill_group()
        await self._process.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(_GROUP_SECONDS_MAX):
                await self._group_gone()

    async def _group_gone(self) -> None:
        while True:
            if not self.kill_group():
                return
            await asyncio.sleep(_POLL_SECONDS)

    def kill_group(self) -> bool:
        """Kill every process that is still in the group; False when there is none."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def failure(self, what: str) -> ChildFailedError:
        """Make the error for a part that did not become ready."""
        text = f"{self.spec.name} {what}; {end_of_log(self.spec.log)}"
        return PortTakenError(text, self.spec.name, self.spec.log) if self._met_a_taken_port() else ChildFailedError(text)

    def _met_a_taken_port(self) -> bool:
        """Tell whether the process has ended and its log says that an address was in use, as the system words it."""
        if self.alive:
            return False
        try:
            with self.spec.log.open("rb") as log:
                log.seek(self._log_start)
                return _ADDRESS_IN_USE in log.read(_LOG_BYTES_READ_MAX).lower()
        except OSError:
            return False


def describe_exit(code: int) -> str:
    """Say how a process ended from its return code, which is minus the signal's number after a signal."""
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"


def _turn_log(log: Path) -> None:
    """Keep one older log when the current one has grown large."""
    with suppress(FileNotFoundError):
        if log.stat().st_size > _LOG_BYTES_MAX:
            log.replace(log.with_suffix(".1.log"))
