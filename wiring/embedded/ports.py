"""Loopback ports: which are free, and which nobody is given by chance."""

import random
import re
import socket
from collections.abc import Iterator
from pathlib import Path

LOOPBACK = "127.0.0.1"

_OURS = range(10_000, 32_768)
"""Above the well-known services, below what Linux and macOS hand out for outgoing connections and to whoever asks for any port."""

_KERNELS_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_KERNELS_RANGE_ELSEWHERE = range(49_152, 65_536)
_CHOICES_MIN = 1_000
"""With fewer ports outside the kernel's range than this, its own choice is as good."""

_DICE = random.SystemRandom()
"""Not the seeded generator: two test processes with the same seed would choose the same ports."""


def port_is_free(port: int) -> bool:
    """Tell whether a server could listen on the loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections are still closing counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def free_ports(count: int) -> list[int]:
    """Return that many different ports nobody uses now, from outside the range the kernel gives away by itself.

    They are not reserved: somebody may still ask for one by its number. `port_claims` keeps other stacks and tests from them.
    """
    found: list[int] = []
    choices = random_ports()
    while len(found) < count:
        port = next(choices)
        if port not in found and port_is_free(port):
            found.append(port)
    return found


def port_or_free(preferred: int, taken: set[int]) -> int:
    """Return the preferred port when it is free and not in `taken`, else another free one; adds it to `taken`."""
    port = preferred
    while port in taken or not port_is_free(port):
        (port,) = free_ports(1)
    taken.add(port)
    return port


def random_ports(kernels: range | None = None) -> Iterator[int]:
    """Give ports to try, in use or not, without end.

    Args:
        kernels: The range to stay out of; that of this machine's kernel when None.
    """
    avoided = kernels_range() if kernels is None else kernels
    choices = [port for port in _OURS if port not in avoided]
    while True:
        yield _DICE.choice(choices) if len(choices) >= _CHOICES_MIN else _kernels_choice()


def kernels_range(setting: Path = _KERNELS_RANGE) -> range:
    """Return the ports the kernel gives to outgoing connections and to servers that ask for any port.

    Args:
        setting: Where Linux says so: first and last port; other systems have no such file.
    """
    try:
        first, last = map(int, re.findall(r"\d+", setting.read_text(encoding="ascii")))
    except (OSError, ValueError):
        return _KERNELS_RANGE_ELSEWHERE
    return range(first, last + 1)


def _kernels_choice() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
