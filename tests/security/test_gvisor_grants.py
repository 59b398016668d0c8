"""What gVisor's own kernel grants to a program is nothing of the host's: the host, looked at while the program holds it, sees none of it.

PROOF B22. The control is the same program without a sandbox: there the host sees all of it.
"""

import asyncio
import json
import os
import secrets
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from adapters.sandboxes.container_options import LABEL
from adapters.sandboxes.docker_engine import DEFAULT_URL, connect
from tests.facilities import docker_sandbox, docker_url, require
from tests.security.probes.outside import marked
from tests.security.test_sandbox_escapes import FOLDER, HELD_IN_GVISOR, PROFILE

PROGRAM = FOLDER / "holding.py"
DEVICES = tuple(f"/dev/{name}" for name in ("loop-control", "fuse", "net/tun", "kvm", "hwrng", "vsock"))
ENGINE = ("runsc-sandbox", "runsc-gofer")
"""gVisor's own two processes on the host, by their first argument; below the first are those that run the program."""
HELD_S = 600.0


def seen(pids: set[int], namespaces: set[str]) -> set[str]:
    """Return which of the probes the host sees in processes of its own; `namespaces` are the user namespaces that were there before."""
    found: set[str] = set()
    others: set[str] = set()
    for pid in pids:
        with suppress(OSError):
            found |= _rights(pid) | _open(pid)
            others |= {os.readlink(f"/proc/{pid}/ns/user")} - namespaces  # noqa: PTH115 - it is no path
    return found | set(("user_namespace", "user_namespace_by_clone")[: len(others)])


def _rights(pid: int) -> set[str]:
    """Return what a process's status shows. One that gVisor itself traces is as it should be: so its ptrace platform works."""
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines() if ":\t" in line)
    tracer = int(status["TracerPid"])
    nice = int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[16])
    shown = {
        "unfiltered_system_calls": status["Seccomp"] == "0",
        "tracing_a_child": tracer != 0 and not _called(tracer).startswith(ENGINE),
        "going_before_others": nice < 0,
    }
    return {name for name, there in shown.items() if there}


def _open(pid: int) -> set[str]:
    """Return what a process's descriptors show."""
    lines = Path(f"/proc/{pid}/net/netlink").read_text(encoding="utf-8").splitlines()[1:]
    netlink = {f"socket:[{line.split()[9]}]" for line in lines}
    links: set[str] = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            links.add(os.readlink(link))  # noqa: PTH115 - it may be no path
    shown = {
        "device_of_the_host": bool(links & set(DEVICES)),
        "io_uring": "anon_inode:[io_uring]" in links,
        "netlink_socket": bool(links & netlink),
    }
    return {name for name, there in shown.items() if there}


def _called(pid: int) -> str:
    """Return a process's command line."""
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def below(roots: set[int]) -> set[int]:
    """Return processes and all below them, those of every thread."""
    found, waiting = set[int](), list(roots)
    while waiting:
        pid = waiting.pop()
        found.add(pid)
        for listing in Path(f"/proc/{pid}/task").glob("*/children"):
            with suppress(OSError):
                waiting += [int(child) for child in listing.read_text(encoding="ascii").split()]
    return found


def engine_of(mark: str) -> set[int]:
    """Return gVisor's own processes for the container of a profile's name."""
    client = connect(docker_url() or DEFAULT_URL)
    try:
        made = client.containers.list(all=True, filters={"label": f"{LABEL}={mark}"}, ignore_removed=True)
        names = [str(container.attrs["Id"]) for container in made]
    finally:
        client.close()
    pids = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    return {pid for pid in pids if (line := _called(pid)).startswith(ENGINE) and any(name in line for name in names)}


class TestWhatGvisorGrants:
    async def test_is_seen_by_the_host_where_no_sandbox_is(self) -> None:
        if os.geteuid() != 0:
            pytest.skip("the control shows what root is granted: run as root")
        process = await asyncio.create_subprocess_exec(
            *("/usr/bin/python3", str(PROGRAM)), stdout=asyncio.subprocess.PIPE, start_new_session=True
        )
        try:
            assert process.stdout is not None
            granted = set(json.loads(await process.stdout.readline()))
            own = os.readlink("/proc/self/ns/user")  # noqa: PTH115 - it is no path
            assert seen(below({process.pid}), {own}) == granted == HELD_IN_GVISOR
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    async def test_is_seen_nowhere_on_the_host(self) -> None:
        require("runsc")
        mark, said, told = f"held-{secrets.token_hex(8)}", bytearray(), asyncio.Event()

        async def listen(_stream: str, chunk: bytes) -> None:
            said.extend(chunk)
            if b"\n" in said:
                told.set()

        profile = PROFILE.model_copy(update={"name": mark, "backend": "gvisor", "wall_s": HELD_S})
        files = {file.name: file.read_bytes() for file in (PROGRAM, FOLDER / "attempt.py")}
        running = asyncio.create_task(docker_sandbox("runsc").run(profile, ["python3", "holding.py"], files=files, on_output=listen))
        waiting = asyncio.create_task(told.wait())
        try:
            await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
            assert told.is_set(), running
            engine = engine_of(mark)
            everything = below(engine)
            assert len(everything) > len(engine) > 0
            found = seen(everything, {os.readlink(f"/proc/{pid}/ns/user") for pid in engine})  # noqa: PTH115 - it is no path
        finally:
            for task in (running, waiting):
                task.cancel()
            await asyncio.gather(running, waiting, return_exceptions=True)
        assert set[str]() < set(json.loads(said)) <= HELD_IN_GVISOR
        assert found == set()

    def test_are_all_known(self) -> None:
        assert set(marked(PROGRAM, "@hold")) == HELD_IN_GVISOR
