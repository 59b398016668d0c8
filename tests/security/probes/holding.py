"""Takes what gVisor's own kernel grants and the host's would have to know of, says so, and holds it while the test looks from outside.

A program for a sandbox: it writes one line of JSON, the names of what it was granted, and sleeps until it is killed.
"""

import ctypes
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from attempt import call

PTRACE_ATTACH, CLONE_NEWUSER = 16, 0x10000000
DEVICES = ("loop-control", "fuse", "net/tun", "kvm", "hwrng", "vsock")
HELD: dict[str, Callable[[], object]] = {}
KEPT: list[object] = []
"""Sockets close when nothing holds them."""


def hold(function: Callable[[], object]) -> Callable[[], object]:
    """Register something to take, by the name of its quiet probe."""
    HELD[function.__name__] = function
    return function


@hold
def unfiltered_system_calls() -> object:
    return "Seccomp:\t0" in Path("/proc/self/status").read_text()


@hold
def netlink_socket() -> object:
    taken = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    taken.bind((0, 0))  # the kernel lists those that have an address
    return taken


@hold
def device_of_the_host() -> object:
    for name in DEVICES:
        with suppress(OSError):
            return os.open(f"/dev/{name}", os.O_RDONLY) >= 0
    return False


@hold
def io_uring() -> object:
    return call("io_uring_setup", 4, ctypes.create_string_buffer(120)) >= 0


@hold
def going_before_others() -> object:
    os.setpriority(os.PRIO_PROCESS, 0, -5)
    return True


@hold
def tracing_a_child() -> object:
    child = os.fork()
    if child == 0:
        _sleep()
    return call("ptrace", PTRACE_ATTACH, child, 0, 0) == 0


@hold
def user_namespace_by_clone() -> object:
    child = call("clone", CLONE_NEWUSER | signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        _sleep()
    return True


# The last one, since what it takes is kept by the process itself.
@hold
def user_namespace() -> object:
    return call("unshare", CLONE_NEWUSER) == 0


def _sleep() -> None:
    while True:
        time.sleep(60)


def main() -> None:
    """Take everything, tell what was granted, and hold it."""
    granted: list[str] = []
    for name, take in HELD.items():
        try:
            taken = take()
        except OSError:
            continue
        if taken:
            granted.append(name)
            KEPT.append(taken)
    sys.stdout.write(json.dumps(granted) + "\n")
    sys.stdout.flush()
    _sleep()


if __name__ == "__main__":
    main()
