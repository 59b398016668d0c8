"""Sixty attempts to get out of a sandbox, run inside each backend that runs programs; the same file without a sandbox reaches everything.

PROOF B22. A probe that does not succeed in the control proves nothing, so that is a failure too.
"""

import json
import os
from pathlib import Path

import pytest

from adapters.sandboxes.bubblewrap import BubblewrapSandbox
from domain.sandbox import MIB, Sandbox, SandboxProfile
from tests.facilities import docker_sandbox, require
from tests.security.probes.outside import marked, outside, without_a_sandbox

FOLDER = Path(__file__).with_name("probes")
PROGRAM = FOLDER / "inside.py"
PARTS = (FOLDER / "host.py", FOLDER / "kernel.py")
NAMES = sorted(name for part in PARTS for name in marked(part, "@attempt"))
IMAGE = "standfast-test:python"
FEWEST = 40
"""PROOF B22: at least so many probes."""
PROFILE = SandboxProfile(name="probed", backend="bubblewrap", wall_s=40.0, cpu_s=20.0, memory_bytes=256 * MIB, pids=16, image=IMAGE)
OTHER_KERNEL = frozenset(
    (
        *("unfiltered_system_calls", "tracing_a_child", "reading_a_childs_memory", "netlink_socket", "kernel_log_by_call", "io_uring"),
        *("device_of_the_host", "device_file_made", "user_namespace", "user_namespace_by_clone", "going_before_others"),
    )
)
"""Probes of the host's kernel that gVisor may grant: its own kernel answers them, and the host's sees none of it. What these calls give
there (devices, a log, namespaces) is gVisor's own."""
BACKENDS = ("bubblewrap", "docker", "gvisor")


def sandbox_of(backend: str) -> Sandbox:
    """Return the backend, or skip with what is missing."""
    if backend == "bubblewrap":
        require("bubblewrap")
        return BubblewrapSandbox()
    require("docker" if backend == "docker" else "runsc")
    return docker_sandbox(None if backend == "docker" else "runsc")


async def tried(backend: str, *, sandbox: Sandbox | None = None) -> dict[str, str]:
    """Return what came of each probe inside a backend."""
    profile = PROFILE.model_copy(update={"backend": backend})
    async with outside() as told:
        files = {file.name: file.read_bytes() for file in (PROGRAM, FOLDER / "attempt.py", *PARTS)}
        given = json.dumps(told | {"scratch": "/tmp"}).encode()  # noqa: S108 (the sandbox's own)
        result = await (sandbox or sandbox_of(backend)).run(profile, ["python3", "inside.py"], files=files, stdin=given)
        planted = Path(told["write_path"]).exists()
    assert (result.ended, result.exit_code, planted) == ("exit", 0, False), result.stderr
    return json.loads(result.stdout)


def escaped(found: dict[str, str]) -> list[str]:
    """Return the probes that got out."""
    return [name for name, what in found.items() if what == "escaped"]


class TestProbes:
    async def test_every_probe_gets_out_where_no_sandbox_is(self) -> None:
        if os.geteuid() != 0:
            pytest.skip("the control shows what root reaches: run as root")
        async with outside() as told:
            found = json.loads(await without_a_sandbox(PROGRAM, told))
        assert sorted(set(found) - set(escaped(found))) == []
        assert sorted(found) == NAMES
        assert len(found) >= FEWEST

    @pytest.mark.parametrize("backend", BACKENDS)
    async def test_no_probe_gets_out_of_a_sandbox(self, backend: str) -> None:
        found = await tried(backend)
        silent = OTHER_KERNEL if backend == "gvisor" else frozenset[str]()
        assert sorted(set(escaped(found)) - silent) == []
        assert sorted(found) == NAMES
