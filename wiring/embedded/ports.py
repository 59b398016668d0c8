"""Loopback ports: which are free."""

import socket

LOOPBACK = "127.0.0.1"


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
    """Return that many different ports nobody uses now; they are not reserved, so use them soon."""
    probes = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def port_or_free(preferred: int, taken: set[int]) -> int:
    """Return the preferred port when it is free and not in `taken`, else another free one; adds it to `taken`."""
    port = preferred
    while port in taken or not port_is_free(port):
        (port,) = free_ports(1)
    taken.add(port)
    return port
