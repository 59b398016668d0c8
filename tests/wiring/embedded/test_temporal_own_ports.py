"""Where our Temporal server listens: on loopback unless told otherwise, and on ports of its own that nobody else gets by chance."""

import ipaddress
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.programs import python_argv
from tests.servers.temporal import dev_server_existing_path
from wiring.embedded.temporal_arguments import TemporalPorts, temporal_server_arguments

NARROW = """
import fcntl, os, pathlib, socket, struct, sys
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
with socket.socket() as any: fcntl.ioctl(any, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("40000 40023")
os.execv(sys.argv[1], sys.argv[1:])
"""
"""In a network of its own, the kernel gives away 24 ports only; a server that lets go of one it was given soon gets it twice."""

STARTS = ((), (), ("--listen-everywhere",))
OWN_NETWORK = ("unshare", "--map-root-user", "--net")
PORTS = TemporalPorts()
PARTS = ("frontend", "Web UI", "metrics", "history", "matching", "worker")
LISTENS = "0A"
"""The state of a listening socket in /proc/net/tcp."""


def _require_own_network() -> None:
    if sys.platform != "linux" or shutil.which("unshare") is None:
        pytest.skip("networks of their own are Linux's, made by unshare")
    if subprocess.run([*OWN_NETWORK, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this account may not make a network of its own")


def listening(pid: int | str) -> set[tuple[str, int]]:
    """Return addresses and ports on which somebody in the network of a process listens."""
    found: set[tuple[str, int]] = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            words, _, port = local.partition(":")
            if state == LISTENS:
                # Each word of four bytes is written as the number that this machine reads in it.
                raw = b"".join(struct.pack("=I", int(words[at : at + 8], 16)) for at in range(0, len(words), 8))
                found.add((str(ipaddress.ip_address(raw)), int(port, 16)))
    return found


def said_until_ready(server: "subprocess.Popen[str]") -> list[str]:
    """Return the lines up to the last one of a start."""
    assert server.stdout
    said: list[str] = []
    for line in server.stdout:
        said.append(line)
        if line.startswith("Web UI:"):
            return said
    raise AssertionError("".join(said) or "it says nothing")


def settled(server: "subprocess.Popen[str]") -> set[tuple[str, int]]:
    """Return where the server listens once all its parts do."""
    while server.poll() is None:
        found = listening(server.pid)
        if len(found) >= len(PARTS):
            return found
    raise AssertionError("it ended")


class TestListening:
    def test_is_read_from_the_tables_of_the_kernel(self) -> None:
        if sys.platform != "linux":
            pytest.skip("the tables are Linux's")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            assert taken.getsockname() in listening("self")

    def test_is_on_loopback_unless_told_otherwise_and_on_six_ports_also_when_few_are_left(self) -> None:
        program = dev_server_existing_path()
        if "standfast" not in subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout:
            pytest.skip("the server is the official one")
        _require_own_network()
        for more in STARTS:
            argv = [*OWN_NETWORK, *python_argv(NARROW), program, *temporal_server_arguments(), *more]
            with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
                try:
                    said = said_until_ready(server)
                    places = settled(server)
                finally:
                    server.terminate()
            open_ports = {port for address, port in places if not ipaddress.ip_address(address).is_loopback}
            assert len({port for _, port in places}) == len(PARTS), places
            assert open_ports == ({PORTS.frontend, PORTS.ui} if more else set()), places
            assert any("whoever reaches this machine may use this server" in line for line in said) is bool(more)
