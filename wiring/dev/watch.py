"""Keeps the parts running: starts each, records it at once, restarts one that dies, stops all in order."""

import asyncio
import time
from collections.abc import Callable, Collection
from pathlib import Path

from wiring.dev.child import Child, ChildFailedError, ChildSpec
from wiring.dev.records import ProcessRecords, RecordedProcess, write_processes
from wiring.embedded.cache import Progress
from wiring.embedded.processes import process_identity

_BACKOFF_SECONDS = (0.0, 0.2, 0.5, 1.0, 2.0)
"""Pause before the first, second, … restart in a row; the last one holds for all later ones."""

_STEADY_SECONDS = 30.0
"""A part that ran this long starts again at the first pause."""

_PATIENCE_SECONDS = {"gateway": 4.0, "worker": 4.0}
_PATIENCE_SECONDS_OTHERS = 3.0
_STOP_ORDER = (("gateway", "worker"), ("temporal", "postgres"))
"""Those who use a server stop before it does; both rounds and their kills stay within 10 s."""


def backoff_seconds(restarts: int) -> float:
    """Return the pause before a restart when there were `restarts` in a row already."""
    return _BACKOFF_SECONDS[min(restarts, len(_BACKOFF_SECONDS) - 1)]


class Watch:
    """The running parts of one stack."""

    def __init__(self, state_dir: Path, progress: Progress, *, on_change: Callable[[], None]) -> None:
        """Watch nothing yet.

        Args:
            state_dir: Where the processes are recorded.
            progress: Told each death and restart.
            on_change: Called after each restart, when the process ids have changed.
        """
        self._state_dir = state_dir
        self._progress = progress
        self._on_change = on_change
        self._children: dict[str, Child] = {}
        self._watchers: dict[str, asyncio.Task[None]] = {}

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by part."""
        return {name: child.pid for name, child in self._children.items()}

    async def start(self, spec: ChildSpec) -> Child:
        """Start a part and record it; it is restarted only once `keep` is called for it.

        Raises:
            ChildFailedError: When the program cannot be started.
        """
        child = await Child.start(spec)
        self._children[spec.name] = child
        self.record()
        return child

    def keep(self, child: Child) -> None:
        """Restart this part from now on whenever it ends."""
        self._watchers[child.spec.name] = asyncio.create_task(self._keep(child), name=f"watch-{child.spec.name}")

    async def stop(self, parts: Collection[str] | None = None) -> None:
        """Stop the named parts, or all, in order; nothing of their groups is left."""
        stopping = set(self._children if parts is None else parts)
        watchers = [watcher for name, watcher in self._watchers.items() if name in stopping]
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)
        for names in _STOP_ORDER:
            chosen = [self._children[name] for name in names if name in self._children and name in stopping]
            await asyncio.gather(*(child.stop(_PATIENCE_SECONDS.get(child.spec.name, _PATIENCE_SECONDS_OTHERS)) for child in chosen))
            # Only now: whoever is cancelled meanwhile can still stop them.
            for child in chosen:
                self._children.pop(child.spec.name, None)

    def record(self) -> None:
        """Write down who runs, for whoever has to clean up after us."""
        identities = {name: (pid, process_identity(pid)) for name, pid in self.pids.items()}
        children = {name: RecordedProcess(pid=pid, identity=found) for name, (pid, found) in identities.items() if found}
        write_processes(self._state_dir, ProcessRecords(children=children))

    async def _keep(self, child: Child) -> None:
        restarts = 0
        while True:
            started = time.monotonic()
            how = await child.ended()
            child.kill_group()
            restarts = 0 if time.monotonic() - started >= _STEADY_SECONDS else restarts
            child, restarts = await self._restart(child, how, restarts)

    async def _restart(self, dead: Child, how: str, restarts: int) -> tuple[Child, int]:
        """Start the part again, as often as it takes, and say so; returns the new process and the restarts in a row."""
        name = dead.spec.name
        while True:
            pause = backoff_seconds(restarts)
            self._progress(f"{name} (pid {dead.pid}) ended with {how}; restarting it" + (f" in {pause:g} s" if pause else ""))
            await asyncio.sleep(pause)
            restarts += 1
            try:
                child = await self.start(dead.spec)
            except ChildFailedError as error:
                how = str(error)
                continue
            self._progress(f"{name} runs again (pid {child.pid})")
            self._on_change()
            return child, restarts
