"""The sandbox router: each run goes to the backend that its profile names, never to another one."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from adapters.sandboxes.bubblewrap import BubblewrapSandbox
from adapters.sandboxes.egress_proxy import Addresses, no_addresses
from adapters.sandboxes.images import container_unfit
from adapters.sandboxes.monty import MontySandbox
from adapters.sandboxes.wasm import WasmSandbox
from domain.errors import SandboxUnavailable
from domain.sandbox import Backend, OnOutput, Sandbox, SandboxProfile, SandboxResult

GVISOR_RUNTIME = "runsc"
"""What gVisor's runtime is called in Docker's daemon.json, by gVisor's own guide."""
LIMITS = {
    "monty": "limits of its interpreter",
    "docker": "cgroups and seccomp, by Docker",
    "gvisor": "cgroups by Docker, a kernel of its own",
    "wasm": "fuel, memory of the module, a watch",
}
"""What holds code to its limits where that is the same on every machine."""


class ProbedSandbox(Sandbox, Protocol):
    """A backend that can say whether this machine has what it needs, and can be closed."""

    def unfit(self, profile: SandboxProfile) -> str | None:
        """Return why this backend cannot give a profile what it asks on any machine, or None."""
        ...

    async def missing(self) -> str | None:
        """Return what is missing and how to get it, or None."""
        ...

    async def aclose(self) -> None:
        """Give back what it holds."""
        ...


@dataclass(frozen=True, kw_only=True)
class SandboxOptions:
    """How an installation's sandboxes are set up.

    `docker_url` None means Docker's default socket; `docker_runtime` replaces its default runtime for `docker`, never for `gvisor`.
    `pinned` refuses images named by a tag. `warm` containers wait for each used profile, and so many processes for wasm. `cgroup` is a
    cgroup v2 folder that the worker may divide.
    """

    docker_url: str | None = None
    docker_runtime: str | None = None
    pinned: bool = False
    warm: int = 0
    cgroup: Path | None = None
    addresses: Addresses = no_addresses


class _LateDocker:
    """A docker backend, imported at its first use: the SDK takes a good part of a second, and most workers never need it."""

    def __init__(self, options: SandboxOptions, runtime: str | None) -> None:
        self._options = options
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

    def unfit(self, profile: SandboxProfile) -> str | None:
        """Return why no container can give a profile what it asks, or None."""
        return container_unfit(profile, pinned=self._options.pinned, runtime=self._runtime)

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

        options = self._options
        return DockerSandbox(
            base_url=options.docker_url,
            runtime=self._runtime,
            pinned=options.pinned,
            warm=options.warm,
            addresses=options.addresses,
        )


class SandboxRouter:
    """Implements `domain.sandbox.Sandbox` over all backends; close it with `aclose`."""

    def __init__(self, backends: Mapping[Backend, ProbedSandbox]) -> None:
        self._backends = dict(backends)

    @classmethod
    def with_all_backends(cls, options: SandboxOptions = SandboxOptions()) -> Self:
        """Build every backend; none of them is started before it is used."""
        return cls(
            {
                "monty": MontySandbox(),
                "bubblewrap": BubblewrapSandbox(cgroup=options.cgroup, addresses=options.addresses),
                "docker": _LateDocker(options, options.docker_runtime),
                "gvisor": _LateDocker(options, GVISOR_RUNTIME),
                "wasm": WasmSandbox(warm=options.warm),
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
        return await self._backend(profile).run(profile, command, files=files, stdin=stdin, on_output=on_output)

    def _backend(self, profile: SandboxProfile) -> ProbedSandbox:
        """Return the profile's backend.

        Raises:
            SandboxUnavailable: it is not configured, or can never give the profile what it asks.
        """
        backend = self._backends.get(profile.backend)
        if backend is None:
            have = ", ".join(sorted(self._backends)) or "none"
            raise SandboxUnavailable(f"the profile {profile.name} needs {profile.backend}, and this worker is configured with {have}")
        reason = backend.unfit(profile)
        if reason is not None:
            raise SandboxUnavailable(f"the profile {profile.name} cannot run on {profile.backend}: {reason}")
        return backend

    async def available(self) -> dict[str, str | None]:
        """Return for each backend None, or why it cannot be used here and what to install."""
        names = sorted(self._backends)
        reasons = await asyncio.gather(*(self._backends[name].missing() for name in names))
        return dict(zip(names, reasons, strict=True))

    def limits(self, name: str) -> str:
        """Return what holds a backend's code to its limits, in words."""
        backend = next((each for key, each in self._backends.items() if key == name), None)
        if isinstance(backend, BubblewrapSandbox):
            return backend.limits
        return LIMITS.get(name, "")

    async def require(self, profile: SandboxProfile, *, here: bool = True) -> None:
        """Refuse a profile that cannot run, before anything does (at registration); without `here` this machine is not asked.

        Raises:
            SandboxUnavailable: says what to change or to install.
        """
        backend = self._backend(profile)
        reason = await backend.missing() if here else None
        if reason is not None:
            raise SandboxUnavailable(f"the sandbox profile {profile.name} needs {profile.backend}: {reason}")

    async def aclose(self) -> None:
        """Close every backend."""
        await asyncio.gather(*(backend.aclose() for backend in self._backends.values()))
