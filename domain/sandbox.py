"""The sandbox port: run untrusted code under a named profile, with hard limits and no residue. Pure."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Literal, Protocol

from pydantic import AfterValidator, Field, model_validator

from domain.model import Value

MIB = 1024 * 1024
Backend = Literal["monty", "bubblewrap", "docker", "gvisor", "wasm"]
"""Where code runs; a profile names exactly one, and nothing ever falls back to another."""
PINNED_IMAGE = re.compile(r"(@|^)sha256:[0-9a-f]{64}\Z")
"""An image by its digest (`name@sha256:…`, OCI distribution-spec) or by its id on this daemon (`sha256:…`); a tag can be moved."""
EGRESS = re.compile(r"^(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?\Z")
"""`host`, `*.host`, or either with `:port`; without a port 443 and 80 are meant."""


def _named_hosts(egress: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse what is no host.

    Raises:
        ValueError: says what to write.
    """
    for each in egress:
        if not EGRESS.match(each):
            raise ValueError(f"{each!r} is no host: write `api.example.org`, `*.example.org` or `api.example.org:8443`, in lower case")
    return egress


EgressHosts = Annotated[tuple[str, ...], AfterValidator(_named_hosts)]
"""The hosts that code in a sandbox may reach."""


class SandboxProfile(Value):
    """Named limits. Memory, disk and output in bytes; wall, and cpu over all processes, in seconds; `cpus` is how many cores it may use.

    `disk_bytes` bounds what stands in `/work` and `/tmp` together. The network is off; with `allow`, a proxy outside the sandbox
    connects to the hosts of `egress` and to nothing else. The files named in `files_out` are handed back. Docker and gVisor need `image`.
    """

    name: str
    backend: Backend
    wall_s: float = Field(default=10.0, gt=0)
    cpu_s: float = Field(default=10.0, gt=0)
    cpus: float = Field(default=1.0, gt=0)
    memory_bytes: int = Field(default=128 * MIB, ge=MIB)
    disk_bytes: int = Field(default=64 * MIB, ge=MIB)
    pids: int = Field(default=32, ge=1)
    output_bytes: int = Field(default=64 * 1024, ge=0)
    network: Literal["none", "allow"] = "none"
    egress: EgressHosts = ()
    files_out: tuple[str, ...] = ()
    image: str | None = None

    @model_validator(mode="after")
    def _network_and_egress_fit(self) -> "SandboxProfile":
        """Refuse a network without hosts, and hosts without a network.

        Raises:
            ValueError: says what to write.
        """
        if self.network == "allow" and not self.egress:
            raise ValueError("network: allow needs `egress`, the hosts that may be reached")
        if self.network == "none" and self.egress:
            raise ValueError("`egress` names hosts, and the network is off: write network: allow")
        return self

    @property
    def pinned(self) -> bool:
        """Whether the image is named by digest."""
        return self.image is not None and PINNED_IMAGE.search(self.image) is not None


class SandboxResult(Value):
    """How a run in a sandbox ended. `ended` is why; output beyond the limit is cut and `truncated` set.

    `value` is the JSON text of the last expression, for backends that have one (monty). `files` are those of the profile's `files_out`
    that the code left behind as plain files; what it left is as untrusted as the code.
    """

    ended: Literal["exit", "timeout", "memory", "output", "error"]
    exit_code: int
    stdout: str
    stderr: str
    value: str | None = None
    truncated: bool = False
    duration_ms: int = 0
    files: dict[str, bytes] = {}


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
        """Run `command` beside `files` (monty: `["python", "main.py"]`; wasm: `["module.wasm", …]`); cancelling kills it at once.

        Raises:
            SandboxUnavailable: this machine lacks the backend, or the backend lacks what the profile asks; says what to do.
        """
        ...
