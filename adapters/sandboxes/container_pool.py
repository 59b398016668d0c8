"""Containers that are started and wait for their files: made for one run each, removed after it, some kept ready beforehand."""

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager, suppress

from docker.errors import APIError, DockerException, ImageNotFound

from adapters.sandboxes.container_options import DEADLINE_LABEL, container_options
from adapters.sandboxes.container_stream import ContainerStream
from adapters.sandboxes.docker_engine import ANSWER_S, Engine, EngineContainer
from domain.errors import SandboxUnavailable
from domain.sandbox import SandboxProfile

WAITING_MAX = 16
"""How many containers wait at most, whatever the number of profiles: each holds a few megabytes, under gVisor some tens."""
WARM_S = 300.0
"""How long a started container may wait for its run before it is removed."""


class StartedContainer:
    """One container that waits for the archive on its standard input, and its attached streams. Blocking."""

    def __init__(self, container: EngineContainer) -> None:
        self._container = container
        self.stream = ContainerStream(container)

    def start(self, profile: SandboxProfile) -> None:
        """Start it.

        Raises:
            SandboxUnavailable: the runtime cannot.
        """
        try:
            self._container.start()
        except APIError as error:
            raise SandboxUnavailable(f"Docker cannot start the sandbox {profile.name}: {error.explanation or error}") from error

    def pid(self) -> int:
        """Return the pid of its first process on the daemon's machine."""
        pid = self.state().get("Pid")
        return pid if isinstance(pid, int) else 0

    def state(self) -> dict[str, object]:
        """Return Docker's `State` of it."""
        self._container.reload()
        return dict(self._container.attrs["State"])

    def running(self) -> bool:
        """Whether it runs still; a daemon that was restarted has let it go."""
        with suppress(DockerException, OSError):
            return bool(self.state().get("Running"))
        return False

    def wait(self, seconds: float) -> object:
        """Wait for its end."""
        return self._container.wait(timeout=seconds)

    def kill(self) -> None:
        """Kill; one that has ended already is fine.

        Raises:
            APIError: the daemon refuses for another reason.
        """
        try:
            self._container.kill()
        except APIError as error:
            if error.status_code not in (404, 409):
                raise

    def remove(self) -> None:
        """Remove it with its volumes; one that is gone is fine."""
        self.stream.close()
        _remove(self._container)


class ContainerPool:
    """Makes containers; `warm` of them wait for each profile that was used once."""

    def __init__(self, *, runtime: str | None, warm: int) -> None:
        self._runtime = runtime
        self._warm = warm
        self._waiting: dict[SandboxProfile, list[tuple[StartedContainer, asyncio.TimerHandle]]] = {}
        self._filling: set[SandboxProfile] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def container(self, client: Engine, profile: SandboxProfile) -> AsyncGenerator[StartedContainer]:
        """Give a started container for one run, and remove it afterwards, whatever happens.

        Raises:
            SandboxUnavailable: no such image, or no such runtime.
        """
        made = await self._warm_one(profile)
        making = asyncio.create_task(_value(made) if made is not None else asyncio.to_thread(self._made, client, profile))
        try:
            started = await asyncio.shield(making)
            if self._warm and profile not in self._filling:
                self._filling.add(profile)
                self._spawn(self._refill(client, profile))
            yield started
        finally:
            # A container may come into being although we were cancelled: wait for it, then remove it, whatever else happens.
            await asyncio.shield(asyncio.create_task(_removed(making)))

    async def _warm_one(self, profile: SandboxProfile) -> StartedContainer | None:
        """Take a waiting container that is alive, or None."""
        while waiting := self._waiting.get(profile):
            container, timer = waiting.pop()
            timer.cancel()
            if await asyncio.to_thread(container.running):
                return container
            await asyncio.to_thread(container.remove)
        return None

    async def _refill(self, client: Engine, profile: SandboxProfile) -> None:
        """Start what is lacking of a profile's waiting containers; what fails here is told by the run that needs it."""
        waiting = self._waiting.setdefault(profile, [])
        try:
            while len(waiting) < self._warm and sum(map(len, self._waiting.values())) < WAITING_MAX:
                made = await asyncio.to_thread(self._made, client, profile)
                timer = asyncio.get_running_loop().call_later(WARM_S, self._expire, profile, made)
                waiting.append((made, timer))
        except (SandboxUnavailable, DockerException, OSError):
            return
        finally:
            self._filling.discard(profile)

    def _expire(self, profile: SandboxProfile, container: StartedContainer) -> None:
        """Remove one that waited too long."""
        waiting = self._waiting.get(profile, [])
        waiting[:] = [each for each in waiting if each[0] is not container]
        self._spawn(asyncio.to_thread(container.remove))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        """Keep a task until it is done."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _made(self, client: Engine, profile: SandboxProfile) -> StartedContainer:
        """Make and start one; blocking.

        Raises:
            SandboxUnavailable: no such image, or no such runtime.
        """
        deadline_s = time.time() + (WARM_S if self._warm else 0) + profile.wall_s + 2 * ANSWER_S
        options = container_options(profile, runtime=self._runtime, deadline_s=deadline_s)
        try:
            container = client.containers.create(profile.image or "", [], **options)
        except ImageNotFound as error:
            raise SandboxUnavailable(f"the image {profile.image} is not on this Docker: `docker pull {profile.image}`") from error
        except APIError as error:
            raise SandboxUnavailable(f"Docker refuses the sandbox {profile.name}: {error.explanation or error}") from error
        try:
            started = StartedContainer(container)
            started.start(profile)
        except BaseException:
            _remove(container)
            raise
        return started

    async def ready(self) -> None:
        """Wait until what is being made ready is so."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def aclose(self) -> None:
        """Remove what waits."""
        await self.ready()
        waiting, self._waiting = self._waiting, {}
        for container, timer in [each for group in waiting.values() for each in group]:
            timer.cancel()
            await asyncio.to_thread(container.remove)


async def _value(container: StartedContainer) -> StartedContainer:
    """Return it."""
    return container


async def _removed(making: "asyncio.Task[StartedContainer]") -> None:
    """Remove the container, if it came to be."""
    made = (await asyncio.gather(making, return_exceptions=True))[0]
    if not isinstance(made, BaseException):
        await asyncio.to_thread(made.remove)


def _remove(container: EngineContainer) -> None:
    """Remove with its volumes; one that is gone, or that another worker removes just now, is fine. Blocking.

    Raises:
        APIError: the daemon refuses for another reason.
    """
    try:
        container.remove(force=True, v=True)
    except APIError as error:
        if error.status_code not in (404, 409):
            raise


def sweep(client: Engine) -> None:
    """Remove what a killed worker left behind: sandboxes whose own deadline has passed. Blocking."""
    for container in client.containers.list(all=True, filters={"label": DEADLINE_LABEL}, ignore_removed=True):
        deadline = container.labels.get(DEADLINE_LABEL, "")
        if deadline.isdigit() and int(deadline) < time.time():
            _remove(container)
