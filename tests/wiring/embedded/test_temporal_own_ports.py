"""The ports our Temporal server chooses for its own services: kept from their choice on, so that nobody else gets one by chance."""

import shutil
import subprocess
import sys

import pytest

from tests.servers.programs import python_argv
from tests.servers.temporal import dev_server_existing_path
from wiring.embedded.temporal_arguments import temporal_server_arguments

NARROW = """
import fcntl, os, pathlib, socket, struct, sys
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
with socket.socket() as any: fcntl.ioctl(any, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("40000 40023")
os.execv(sys.argv[1], sys.argv[1:])
"""
"""In a network of its own, the kernel gives away 24 ports only; a server that lets go of one it was given soon gets it twice."""

STARTS = 3
OWN_NETWORK = ("unshare", "--map-root-user", "--net")


def _require_own_network() -> None:
    if sys.platform != "linux" or shutil.which("unshare") is None:
        pytest.skip("networks of their own are Linux's, made by unshare")
    if subprocess.run([*OWN_NETWORK, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this account may not make a network of its own")


class TestPortsOfTheInnerServices:
    def test_are_different_when_few_are_left(self) -> None:
        program = dev_server_existing_path()
        if "standfast" not in subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout:
            pytest.skip("the server is the official one")
        _require_own_network()
        for _ in range(STARTS):
            argv = [*OWN_NETWORK, *python_argv(NARROW), program, *temporal_server_arguments()]
            with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
                assert server.stdout
                said: list[str] = []
                for line in server.stdout:
                    said.append(line)
                    if line.startswith("Web UI:"):
                        break
                server.terminate()
            assert said[-1:], "it says nothing"
            assert said[-1].startswith("Web UI:"), "".join(said)
