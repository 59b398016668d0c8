"""The sandbox router: each run goes to the backend that its profile names, never to another one."""

import asyncio
from collections.abc import Mapping
from typing import Literal, Protocol, Self

from adapters.sandboxes.bubblewrap import BubblewrapSandbox
from adapters.sandboxes.monty import MontySandbox
from domain.errors import SandboxUnavailable
from domain.sandbox import OnOutput, Sandbox, SandboxProfile, SandboxResult

Backend = Literal["monty", "bubblewrap", "docker"]


class ProbedSandbox(Sandbox, Protocol):
    """A backend that can say whether this machine has what it needs, and can be closed."""

    async def missing(self) -> str | None:
        """Return what is missing and how to get it, or None."""
        ...

    async def aclose(self) -> None:
        """Give back what it holds."""
        ...


class _LateDocker:
    """The docker backend, imported at its first use: the SDK takes a good part of a second, and most workers never need it."""

    def __init__(self, *, base_url: str | None, runtime: str | None) -> None:
        self._base_url = base_url
        self._runtime = runtime
        self._building = asyncio.Lock()
        self._backend: ProbedSandbox | None = None

    async def run(
        self,
        profile: SandboxProfile,
        command: list[str],
        *,
        files: dict[str, bytes],
        stdin: bytes = b"",
        on_output: OnOutput | None = None,
    ) -> SandboxResult:
        """Run in a container."""
        return await (await self._loaded()).run(profile, command, files=files, stdin=stdin, on_output=on_output)

    async def missing(self) -> str | None:
        """Return why no container can run here, or None."""
        return await (await self._loaded()).missing()

    async def aclose(self) -> None:
        """Close the backend, if it was ever used."""
        if self._backend is not None:
            await self._backend.aclose()

    async def _loaded(self) -> ProbedSandbox:
        async with self._building:
            if self._backend is None:
                self._backend = await asyncio.to_thread(self._build)
            return self._backend

    def _build(self) -> ProbedSandbox:
        from adapters.sandboxes.docker_backend import DockerSandbox  # noqa: PLC0415 - late on purpose, see the class

        return DockerSandbox(base_url=self._base_url, runtime=self._runtime)


class SandboxRouter:
    """Implements `domain.sandbox.Sandbox` over all backends; close it with `aclose`."""

    def __init__(self, backends: Mapping[Backend, ProbedSandbox]) -> None:
        self._backends = dict(backends)

    @classmethod
    def with_all_backends(cls, *, docker_url: str | None = None, docker_runtime: str | None = None) -> Self:
        """Build every backend; none of them is started before it is used. `docker_url` None means Docker's default socket."""
        return cls(
            {
                "monty": MontySandbox(),
                "bubblewrap": BubblewrapSandbox(),
                "docker": _LateDocker(base_url=docker_url, runtime=docker_runtime),
            }
        )

    async def run(
        self,
        profile: SandboxProfile,
        command: list[str],
        *,
        files: dict[str, bytes],
        stdin: bytes = b"",
        on_output: OnOutput | None = None,
    ) -> SandboxResult:
        """Run on the profile's backend.

        Raises:
            SandboxUnavailable: that backend is not configured, or this machine lacks it; says what to install.
        """
        backend = self._backends.get(profile.backend)
        if backend is None:
            have = ", ".join(sorted(self._backends)) or "none"
            raise SandboxUnavailable(f"the profile {profile.name} needs {profile.backend}, and this worker is configured with {have}")
        return await backend.run(profile, command, files=files, stdin=stdin, on_output=on_output)

    async def available(self) -> dict[str, str | None]:
        """Return for each backend None, or why it cannot be used here and what to install."""
        names = sorted(self._backends)
        reasons = await asyncio.gather(*(self._backends[name].missing() for name in names))
        return dict(zip(names, reasons, strict=True))

    async def require(self, profile: SandboxProfile) -> None:
        """Refuse a profile whose backend this machine lacks, before anything runs (at registration).

        Raises:
            SandboxUnavailable: says what to install.
        """
        backend = self._backends.get(profile.backend)
        reason = "it is not configured on this worker" if backend is None else await backend.missing()
        if reason is not None:
            raise SandboxUnavailable(f"the sandbox profile {profile.name} needs {profile.backend}: {reason}")

    async def aclose(self) -> None:
        """Close every backend."""
        await asyncio.gather(*(backend.aclose() for backend in self._backends.values()))
