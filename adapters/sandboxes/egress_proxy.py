"""The proxy of sandboxes with an allow-list: CONNECT and plain HTTP, to declared hosts only, by checked and pinned addresses.

It runs in the worker, outside the sandbox. It reads no more of a request than its head; what follows is passed on unread, so a host
on the list is trusted with whatever the code inside sends it.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

from domain.egress import host_matches
from domain.errors import EgressRefused

HEAD_BYTES_MAX = 16 * 1024
HEAD_S = 10.0
"""How long a request may take to say where it wants to go."""
CONNECT_S = 10.0
CONNECTIONS_MAX = 32
CHUNK_BYTES = 65536
USUAL_PORTS = (443, 80)
HOP = re.compile(rb"(?i)^(proxy-[a-z-]+|connection|keep-alive|host)\s*:")
"""Headers that are between client and proxy (RFC 9110 §7.6.1), and Host, which is set anew from the URL."""

Addresses = Callable[[str, int], Awaitable[list[str]]]
"""Return the checked addresses of (host, port); raises EgressRefused or OSError (`domain.egress.OutboundClients.addresses`)."""
Handler = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def no_addresses(host: str, _port: int) -> list[str]:
    """Resolve nothing.

    Raises:
        OSError: always.
    """
    raise OSError(f"this worker has no way out for sandboxes, so {host} has no address")


class Wanted(NamedTuple):
    """Where a request wants to go, and what is to be sent there first (nothing for a tunnel)."""

    host: str
    port: int
    head: bytes | None


class _Answer(Exception):
    """The request ends with this status and text."""

    def __init__(self, status: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class EgressProxy:
    """Serves one sandbox; `egress` are its patterns, `addresses` resolves and judges."""

    def __init__(self, egress: tuple[str, ...], addresses: Addresses) -> None:
        self._patterns = [_pattern(each) for each in egress]
        self._addresses = addresses
        self._open: set[asyncio.Task[object]] = set()
        self._server: asyncio.Server | None = None

    async def serve(self, listener: socket.socket) -> None:
        """Accept on a listening socket until `aclose`."""
        self._server = await asyncio.start_server(self._accepted, sock=listener, limit=HEAD_BYTES_MAX)

    async def aclose(self) -> None:
        """Close the listener and every connection."""
        if self._server is not None:
            self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        task = asyncio.current_task()
        if task is None or len(self._open) >= CONNECTIONS_MAX:
            writer.close()
            return
        self._open.add(task)
        try:
            await self._served(reader, writer)
        except (OSError, EOFError, TimeoutError):
            return
        finally:
            self._open.discard(task)
            writer.close()

    async def _served(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read the head, connect, pass on."""
        try:
            wanted = await self._wanted(reader)
            upstream = await self._connected(wanted)
        except _Answer as answer:
            body = answer.text.encode()
            head = f"HTTP/1.1 {answer.status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
            return
        try:
            if wanted.head is None:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                upstream[1].write(wanted.head)
            await _relayed((reader, writer), upstream)
        finally:
            upstream[1].close()

    async def _wanted(self, reader: asyncio.StreamReader) -> Wanted:
        """Read where the request wants to go.

        Raises:
            _Answer: it is no request of a proxy.
        """
        try:
            async with asyncio.timeout(HEAD_S):
                head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.LimitOverrunError, asyncio.IncompleteReadError) as error:
            raise _Answer("400 Bad Request", "this is no request to a proxy") from error
        line, *headers = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        words = line.decode("latin-1").split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise _Answer("400 Bad Request", "this is no request to a proxy")
        if words[0] == "CONNECT":
            return Wanted(*_authority(words[1], None), None)
        found = re.match(r"(?i)^http://([^/?#]+)([^#]*)", words[1])
        if found is None:
            raise _Answer("400 Bad Request", "write the whole URL: http://host/…; for https use CONNECT")
        host, port = _authority(found[1], 80)
        target = found[2] if found[2].startswith("/") else f"/{found[2]}"
        kept = [each for each in headers if not HOP.match(each)]
        sent = [f"{words[0]} {target} HTTP/1.1".encode("latin-1"), f"Host: {found[1]}".encode("latin-1"), b"Connection: close", *kept]
        return Wanted(host, port, b"\r\n".join(sent) + b"\r\n\r\n")

    async def _connected(self, wanted: Wanted) -> Handler:
        """Judge and connect, to exactly the addresses that were judged.

        Raises:
            _Answer: not declared, refused, or nobody there.
        """
        if not any(host_matches(wanted.host, host) and wanted.port in ports for host, ports in self._patterns):
            declared = ", ".join(f"{host}:{'/'.join(map(str, ports))}" for host, ports in self._patterns)
            raise _Answer("403 Forbidden", f"{wanted.host}:{wanted.port} is none of the hosts of this sandbox: {declared}")
        try:
            found = await self._addresses(wanted.host, wanted.port)
        except EgressRefused as error:
            raise _Answer("403 Forbidden", error.detail) from error
        except OSError as error:
            raise _Answer("502 Bad Gateway", f"{wanted.host} has no address now") from error
        for address in found:
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_S):
                    return await asyncio.open_connection(address, wanted.port)
        raise _Answer("502 Bad Gateway", f"{wanted.host}:{wanted.port} takes no connection")


def _pattern(text: str) -> tuple[str, tuple[int, ...]]:
    """Return the host pattern and its ports."""
    host, colon, port = text.rpartition(":")
    return (host, (int(port),)) if colon else (text, USUAL_PORTS)


def _authority(text: str, port: int | None) -> tuple[str, int]:
    """Return host and port of `host:port`, or of `host` where there is a usual port.

    Raises:
        _Answer: it is neither; names of users are refused.
    """
    found = re.match(r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?$", text)
    number = int(found[2]) if found and found[2] else port
    if found is None or number is None or not 0 < number < 65536:
        raise _Answer("400 Bad Request", f"{text[:100]!r} is no host:port")
    return found[1].strip("[]").lower(), number


async def _relayed(inside: Handler, outside: Handler) -> None:
    """Pass bytes both ways until both ends have said all; the sandbox's end closes what is left."""
    await asyncio.gather(_passed(inside[0], outside[1]), _passed(outside[0], inside[1]))


async def _passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass one direction on, and half-close at its end."""
    while chunk := await reader.read(CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()
