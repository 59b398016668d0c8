"""More than sixty attempts to get out of a sandbox, run inside each backend that runs programs; without one, the same file reaches all.

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
STANDS_IN = {
    "kernel_log_by_call": "line_of_the_hosts_log",
    "device_file_made": "device_of_the_host_by_a_file_made",
    "reading_a_childs_memory": "memory_of_another_process_by_call",
}
"""Probes of the host's kernel that gVisor may grant, since its own kernel answers them, and those that tell whether it was the host's."""
HELD_IN_GVISOR = frozenset(
    (
        *("unfiltered_system_calls", "tracing_a_child", "netlink_socket", "io_uring"),
        *("device_of_the_host", "user_namespace", "user_namespace_by_clone", "going_before_others"),
    )
)
"""The others that it may grant: `test_gvisor_grants.py` looks at the host while a program holds them, and sees nothing of it there."""
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
        silent = HELD_IN_GVISOR | set(STANDS_IN) if backend == "gvisor" else frozenset[str]()
        assert sorted(set(escaped(found)) - silent) == []
        assert [name for name in STANDS_IN.values() if found[name] != "held"] == []
        assert sorted(found) == NAMES
