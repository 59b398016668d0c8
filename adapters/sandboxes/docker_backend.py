"""The `docker` backend: one container per run, without network, on a read-only root, removed always.

The image needs `sh` and `tar`: the files travel as a tar archive over standard input into a memory file system, so that nothing of
the host is mounted. With the runtime `runsc` the container has gVisor's kernel instead of the host's. The SDK is synchronous: every
call of it runs in a thread.
"""

import asyncio
import time
from typing import Literal, cast

from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from adapters.sandboxes.container_options import DEADLINE_LABEL, container_options, given_archive
from adapters.sandboxes.container_stream import ContainerStream
from adapters.sandboxes.docker_engine import ANSWER_S, DEFAULT_URL, Engine, EngineContainer, connect
from adapters.sandboxes.output import OutputCollector
from domain.errors import InvalidInput, SandboxUnavailable
from domain.sandbox import OnOutput, SandboxProfile, SandboxResult

Ended = Literal["exit", "timeout", "memory", "output", "error"]

DRAIN_S = 5.0
"""How long the last output of an ended container may take to arrive."""
INSTALL = "install and start Docker (`apt-get install docker.io`), or point DOCKER_HOST at a daemon this user may use"


class DockerSandbox:
    """Runs containers on one daemon; `base_url` is what DOCKER_HOST would hold, None Docker's default socket; `runtime` is e.g. `runsc`."""

    def __init__(self, *, base_url: str | None = None, runtime: str | None = None) -> None:
        self._base_url = base_url or DEFAULT_URL
        self._runtime = runtime
        self._client: Engine | None = None
        self._swept = False

    async def run(
        self,
        profile: SandboxProfile,
        command: list[str],
        *,
        files: dict[str, bytes],
        stdin: bytes = b"",
        on_output: OnOutput | None = None,
    ) -> SandboxResult:
        """Run `command` in `/work` beside `files`.

        Raises:
            SandboxUnavailable: no daemon, no such image, or no such runtime.
            InvalidInput: the profile names no image, or a file name leaves the work folder.
        """
        if profile.image is None:
            raise InvalidInput(f"the profile {profile.name} names no image: docker profiles need one", where="/image")
        archive = given_archive(files, stdin)
        client = await self._connected(profile)
        async with OutputCollector(profile.output_bytes, on_output) as output:
            creating = asyncio.create_task(asyncio.to_thread(self._create, client, profile, command))
            try:
                container = await asyncio.shield(creating)
                return await _Running(container, profile, output).result(archive)
            finally:
                # A container may come into being although we were cancelled: wait for it, then remove it, whatever else happens.
                await asyncio.shield(asyncio.create_task(_removed(creating)))

    def _create(self, client: Engine, profile: SandboxProfile, command: list[str]) -> EngineContainer:
        """Make the container; blocking.

        Raises:
            SandboxUnavailable: no such image, or no such runtime.
        """
        options = container_options(profile, runtime=self._runtime, deadline_s=time.time() + profile.wall_s + 2 * ANSWER_S)
        try:
            return client.containers.create(profile.image or "", list(command), **options)
        except ImageNotFound as error:
            raise SandboxUnavailable(f"the image {profile.image} is not on this Docker: `docker pull {profile.image}`") from error
        except APIError as error:
            raise SandboxUnavailable(f"Docker refuses the sandbox {profile.name}: {error.explanation or error}") from error

    async def missing(self) -> str | None:
        """Return what is missing and how to get it, or None; asks the daemon each time, since it may come and go."""
        try:
            client = await asyncio.to_thread(self._client_now)
            info = await asyncio.to_thread(client.info)
        except (DockerException, OSError) as error:
            return f"no Docker daemon answers at {self._base_url} ({_short(error)}): {INSTALL}"
        runtimes = cast("dict[str, object]", info.get("Runtimes") or {})
        if self._runtime is not None and self._runtime not in runtimes:
            return (
                f"Docker has no runtime {self._runtime} (it has {', '.join(sorted(runtimes))}): install gVisor and name it in daemon.json"
            )
        return None

    async def _connected(self, profile: SandboxProfile) -> Engine:
        """Return a client of a daemon that answers.

        Raises:
            SandboxUnavailable: none does.
        """
        reason = await self.missing()
        if reason is not None:
            raise SandboxUnavailable(f"the profile {profile.name} needs docker: {reason}")
        client = await asyncio.to_thread(self._client_now)
        if not self._swept:
            self._swept = True
            await asyncio.to_thread(_sweep, client)
        return client

    def _client_now(self) -> Engine:
        """Return the client, made at first use; blocking."""
        if self._client is None:
            self._client = connect(self._base_url)
        return self._client

    async def aclose(self) -> None:
        """Close the connections to the daemon."""
        client, self._client = self._client, None
        if client is not None:
            await asyncio.to_thread(client.close)


class _Running:
    """One container from start to end."""

    def __init__(self, container: EngineContainer, profile: SandboxProfile, output: OutputCollector) -> None:
        self._container = container
        self._profile = profile
        self._output = output
        self._full = asyncio.Event()
        self._began_s = time.monotonic()

    async def result(self, archive: bytes) -> SandboxResult:
        """Start, feed, listen and wait; cancelling kills the container at once."""
        self._output.when_full(self._full.set)
        try:
            return await self._ran(archive)
        except (APIError, OSError) as error:
            return SandboxResult(ended="error", exit_code=137, stdout="", stderr=f"Docker broke off: {_short(error)}")

    async def _ran(self, archive: bytes) -> SandboxResult:
        """Run to the end, to a limit, or to a cancellation."""
        stream = await asyncio.to_thread(ContainerStream, self._container)
        talking = asyncio.create_task(asyncio.to_thread(stream.talk, archive, self._output.take))
        tasks: list[asyncio.Task[object]] = [asyncio.create_task(self._full.wait())]
        timed_out = False
        try:
            await asyncio.to_thread(self._start)
            self._began_s = time.monotonic()
            waiting = asyncio.to_thread(self._container.wait, timeout=self._profile.wall_s + ANSWER_S)
            tasks.append(asyncio.create_task(waiting))
            done, _ = await asyncio.wait(tasks, timeout=self._profile.wall_s, return_when=asyncio.FIRST_COMPLETED)
            timed_out = not done
        finally:
            tasks[0].cancel()
            await asyncio.shield(asyncio.create_task(self._stopped(stream, talking, tasks)))
        return self._told(await asyncio.to_thread(self._state), timed_out=timed_out)

    def _start(self) -> None:
        """Start the container; blocking.

        Raises:
            SandboxUnavailable: the runtime cannot start it.
        """
        try:
            self._container.start()
        except APIError as error:
            raise SandboxUnavailable(f"Docker cannot start the sandbox {self._profile.name}: {error.explanation or error}") from error

    async def _stopped(self, stream: ContainerStream, talking: "asyncio.Task[None]", tasks: list[asyncio.Task[object]]) -> None:
        """Kill, unless it ended by itself; that ends the stream and the wait, and with them the threads behind them."""
        try:
            await asyncio.to_thread(_kill, self._container)
            await asyncio.wait({talking}, timeout=DRAIN_S)
        finally:
            stream.close()
            await asyncio.gather(talking, *tasks, return_exceptions=True)

    def _state(self) -> dict[str, object]:
        """Return Docker's `State` of the ended container; blocking."""
        self._container.reload()
        return dict(self._container.attrs["State"])

    def _told(self, state: dict[str, object], *, timed_out: bool) -> SandboxResult:
        """Build the result; the kernel's own CPU limit ends as a timeout too."""
        code = state.get("ExitCode")
        code = code if isinstance(code, int) else 137
        ended: Ended = "exit"
        if self._output.overflowed:
            ended = "output"
        elif state.get("OOMKilled"):
            ended = "memory"
        elif timed_out or (code in (128 + 24, 128 + 9) and time.monotonic() - self._began_s >= self._profile.cpu_s):
            ended = "timeout"
        return SandboxResult(
            ended=ended,
            exit_code=code if ended == "exit" else 137,
            stdout=self._output.text("stdout"),
            stderr=self._output.text("stderr"),
            truncated=self._output.overflowed,
            duration_ms=round((time.monotonic() - self._began_s) * 1000),
        )


def _kill(container: EngineContainer) -> None:
    """Kill; a container that has ended already is fine. Blocking.

    Raises:
        APIError: the daemon refuses for another reason.
    """
    try:
        container.kill()
    except APIError as error:
        if error.status_code not in (404, 409):
            raise


async def _removed(creating: "asyncio.Task[EngineContainer]") -> None:
    """Remove the container, if it came to be."""
    made = (await asyncio.gather(creating, return_exceptions=True))[0]
    if not isinstance(made, BaseException):
        await asyncio.to_thread(_remove, made)


def _remove(container: EngineContainer) -> None:
    """Remove with its volumes; one that is gone is fine. Blocking."""
    try:
        container.remove(force=True, v=True)
    except NotFound:
        return


def _sweep(client: Engine) -> None:
    """Remove what a killed worker left behind: sandboxes whose own deadline has passed. Blocking."""
    for container in client.containers.list(all=True, filters={"label": DEADLINE_LABEL}, ignore_removed=True):
        deadline = container.labels.get(DEADLINE_LABEL, "")
        if deadline.isdigit() and int(deadline) < time.time():
            _remove(container)


def _short(error: Exception) -> str:
    """Return the first line of an error, cut to a readable length."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
