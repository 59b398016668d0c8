"""The `docker` and `gvisor` backends: one container per run, on a read-only root, without rights, removed always.

The image needs `sh` and `tar`: the files travel as a tar archive over standard input into a memory file system, so that nothing of
the host is mounted. With gVisor (the runtime `runsc`) the container has gVisor's kernel instead of the host's. The SDK is synchronous:
every call of it runs in a thread.
"""

import asyncio
from contextlib import AsyncExitStack
from typing import cast

from docker.errors import DockerException

from adapters.sandboxes.container_options import given_archive
from adapters.sandboxes.container_pool import ContainerPool, sweep
from adapters.sandboxes.container_run import RunningContainer, short
from adapters.sandboxes.docker_engine import DEFAULT_URL, Engine, connect
from adapters.sandboxes.egress_proxy import Addresses, no_addresses
from adapters.sandboxes.files_out import FilesOut
from adapters.sandboxes.images import container_unfit
from adapters.sandboxes.inner_network import inner_network
from adapters.sandboxes.output import OutputCollector
from domain.errors import InvalidInput, SandboxUnavailable
from domain.sandbox import OnOutput, SandboxProfile, SandboxResult

INSTALL = "install and start Docker (`apt-get install docker.io`), or point DOCKER_HOST at a daemon this user may use"
GVISOR = (
    "install gVisor (gvisor.dev/docs/user_guide/install) and name it in /etc/docker/daemon.json: "
    '{"runtimes": {"runsc": {"path": "/usr/bin/runsc"}}}'
)


class DockerSandbox:
    """Runs containers on one daemon.

    Args:
        base_url: What DOCKER_HOST would hold; None is Docker's default socket.
        runtime: The container runtime, such as `runsc`; None is the daemon's default.
        pinned: Whether an image must be named by digest (production).
        warm: How many started containers wait for each profile that was used; they spare a run most of its start.
        addresses: Resolves and judges the hosts of profiles with a network.
    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        runtime: str | None = None,
        pinned: bool = False,
        warm: int = 0,
        addresses: Addresses = no_addresses,
    ) -> None:
        self._base_url = base_url or DEFAULT_URL
        self._runtime = runtime
        self._pinned = pinned
        self._addresses = addresses
        self._client: Engine | None = None
        self._pool = ContainerPool(runtime=runtime, warm=warm)
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
        reason = self.unfit(profile)
        if reason is not None:
            raise InvalidInput(f"the profile {profile.name}: {reason}", where="/image")
        async with OutputCollector(profile.output_bytes, on_output) as output:
            given = FilesOut(profile, output) if profile.files_out else None
            archive = given_archive(files, stdin, command if given is None else given.wrapped(command))
            client = await self._connected(profile)
            async with self._pool.container(client, profile) as container, AsyncExitStack() as held:
                if profile.network == "allow":
                    pid = await asyncio.to_thread(container.pid)
                    await held.enter_async_context(inner_network(pid, profile, self._addresses))
                result = await RunningContainer(container, profile, given or output).result(archive)
            return result if given is None else result.model_copy(update={"files": given.files()})

    def unfit(self, profile: SandboxProfile) -> str | None:
        """Return why this backend cannot give a profile what it asks, or None."""
        return container_unfit(profile, pinned=self._pinned, runtime=self._runtime)

    async def missing(self) -> str | None:
        """Return what is missing and how to get it, or None; asks the daemon each time, since it may come and go."""
        try:
            client = await asyncio.to_thread(self._client_now)
            info = await asyncio.to_thread(client.info)
        except (DockerException, OSError) as error:
            return f"no Docker daemon answers at {self._base_url} ({short(error)}): {INSTALL}"
        runtimes = cast("dict[str, object]", info.get("Runtimes") or {})
        if self._runtime is not None and self._runtime not in runtimes:
            return f"Docker has no runtime {self._runtime} (it has {', '.join(sorted(runtimes))}): {GVISOR}"
        if "name=seccomp" not in ",".join(cast("list[str]", info.get("SecurityOptions") or [])):
            return "this Docker runs without seccomp, so containers could make every system call: use a kernel and a Docker with seccomp"
        return None

    async def _connected(self, profile: SandboxProfile) -> Engine:
        """Return a client of a daemon that answers.

        Raises:
            SandboxUnavailable: none does.
        """
        reason = await self.missing()
        if reason is not None:
            raise SandboxUnavailable(f"the profile {profile.name} needs {profile.backend}: {reason}")
        client = await asyncio.to_thread(self._client_now)
        if not self._swept:
            self._swept = True
            await asyncio.to_thread(sweep, client)
        return client

    def _client_now(self) -> Engine:
        """Return the client, made at first use; blocking."""
        if self._client is None:
            self._client = connect(self._base_url)
        return self._client

    async def ready(self) -> None:
        """Wait until the containers that are being made ready are so."""
        await self._pool.ready()

    async def aclose(self) -> None:
        """Remove waiting containers and close the connections to the daemon."""
        await self._pool.aclose()
        client, self._client = self._client, None
        if client is not None:
            await asyncio.to_thread(client.close)
