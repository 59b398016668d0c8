"""The network of a sandbox: one port inside, behind which a proxy outside connects to the declared hosts and to nothing else."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from adapters.sandboxes.egress_proxy import Addresses, EgressProxy
from domain.errors import SandboxUnavailable
from domain.sandbox import SandboxProfile

PORT = 3128
"""Squid's customary port; inside a namespace of its own nothing else is there."""
PROXY_URL = f"http://127.0.0.1:{PORT}"
ENVIRONMENT = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), PROXY_URL)
"""What programs read to find their proxy (curl's manual; Python, Go and Node know the same names)."""
LISTENER = Path(__file__).with_name("inner_listener.py")
ENTER_S = 10.0


@asynccontextmanager
async def inner_network(pid: int, profile: SandboxProfile, addresses: Addresses) -> AsyncGenerator[None]:
    """Serve the proxy inside the network namespace of `pid` for as long as the block runs.

    Raises:
        SandboxUnavailable: the namespace may not be entered from here.
    """
    listener = await asyncio.to_thread(_listener_inside, pid, profile)
    proxy = EgressProxy(profile.egress, addresses)
    try:
        await proxy.serve(listener)
        yield
    finally:
        await proxy.aclose()
        listener.close()


def _listener_inside(pid: int, profile: SandboxProfile) -> socket.socket:
    """Have a helper make the socket inside; blocking.

    Raises:
        SandboxUnavailable: it cannot.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs:
        command = [sys.executable, "-I", "-S", str(LISTENER), str(pid), str(PORT), str(theirs.fileno())]
        helper = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, pass_fds=[theirs.fileno()], env={}
        )
        theirs.close()
        ours.settimeout(ENTER_S)
        handed: list[int] = []
        with contextlib.suppress(OSError):
            _, handed, _, _ = socket.recv_fds(ours, 1, 1)
        helper.kill()
        _, told = helper.communicate()
    if not handed:
        reason = (told.decode(errors="replace").strip().splitlines() or ["no answer"])[-1][:200]
        raise SandboxUnavailable(
            f"the profile {profile.name} allows a network, and this worker may not enter its sandbox's network namespace ({reason}): "
            "run the worker as root on the machine of the sandboxes, or use bubblewrap"
        )
    os.set_inheritable(handed[0], False)
    listener = socket.socket(fileno=handed[0])
    listener.setblocking(False)
    return listener
