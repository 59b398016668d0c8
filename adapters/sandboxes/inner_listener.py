"""A program of its own: makes a listening socket in the network namespace of a sandbox and hands it to its parent.

    python -I -S inner_listener.py PID PORT DESCRIPTOR

A socket belongs to the namespace it was made in, whoever accepts on it: so the proxy stands outside, and inside is nothing but a port.
Needs root, or to be the user who started the sandbox. It is a process because entering namespaces is for processes with one thread.
"""

import ctypes
import fcntl
import os
import socket
import sys

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
"""linux/sched.h."""
NS_GET_USERNS = 0xB701
"""linux/nsfs.h: the user namespace that owns a namespace."""
BACKLOG = 64


def main(pid: int, port: int, channel: int) -> None:
    """Enter, listen, hand over.

    Raises:
        OSError: the namespace may not be entered.
    """
    namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    if os.geteuid() != 0:
        _enter(fcntl.ioctl(namespace, NS_GET_USERNS), CLONE_NEWUSER)
    _enter(namespace, CLONE_NEWNET)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener, socket.socket(fileno=channel) as parent:
        listener.bind(("127.0.0.1", port))
        listener.listen(BACKLOG)
        socket.send_fds(parent, [b"1"], [listener.fileno()])


def _enter(namespace: int, kind: int) -> None:
    """Enter a namespace.

    Raises:
        OSError: the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, kind) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:4]))
