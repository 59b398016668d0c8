"""Where a declared call may go: its host's addresses, resolved once, checked, and handed on so that the call uses exactly these."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

from domain.egress import refusal
from domain.errors import ToolFailed, ToolUnavailable

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Return the addresses of (host, port), best first; raises OSError when there are none."""


async def resolve_host(host: str, port: int) -> list[str]:
    """Ask the system's resolver, off the event loop."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def allowed_addresses(host: str, port: int, *, resolve: Resolve, allow_private: bool) -> list[str]:
    """Return the addresses a call to `host` may connect to.

    Raises:
        ToolFailed: any of them is one this tool may not speak to.
        ToolUnavailable: the name does not resolve now.
    """
    try:
        addresses = await resolve(host, port)
    except OSError as error:
        raise ToolUnavailable(f"the host {host} has no address now: {error.strerror or error}") from error
    if not addresses:
        raise ToolUnavailable(f"the host {host} has no address now")
    for text in addresses:
        reason = refusal(text, allow_private=allow_private)
        if reason is not None:
            raise ToolFailed(f"the host {host} resolves to {text}, {reason}")
    return addresses
