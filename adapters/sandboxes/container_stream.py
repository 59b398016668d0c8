"""The attached stream of a container: sends its standard input, and splits what comes back into its two outputs. Blocking."""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from adapters.sandboxes.docker_engine import EngineContainer

CHUNK_BYTES = 65536
HEADER = struct.Struct(">BxxxI")
"""Docker Engine API, ContainerAttach, stream format: stream type, three zero bytes, length of the frame, big-endian."""
STREAMS = {1: "stdout", 2: "stderr"}

Take = Callable[[str, bytes], bool]
"""Receives (stream, chunk); False says that nothing more is wanted."""


class ContainerStream:
    """Attaches to a container that is made and not yet started, so that no output is missed."""

    def __init__(self, container: EngineContainer) -> None:
        attached = container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        # Over a Unix socket the SDK wraps the socket in a SocketIO, which can read but not send; the socket itself is inside.
        self._attached = attached
        self._socket = cast("socket.socket", getattr(attached, "_sock", attached))
        self._socket.settimeout(None)

    def talk(self, given: bytes, take: Take) -> None:
        """Send `given` and end the input, meanwhile read frames until the container closes or `take` wants no more."""
        sender = threading.Thread(target=self._send, args=(given,), daemon=True)
        sender.start()
        try:
            self._read(take)
        finally:
            self.close()
            sender.join()

    def _send(self, given: bytes) -> None:
        """Send all and half-close; a container that ended without reading it is no error."""
        with suppress(OSError):
            self._socket.sendall(given)
            self._socket.shutdown(socket.SHUT_WR)

    def _read(self, take: Take) -> None:
        """Hand on each frame in pieces, so that a huge one is never held whole."""
        while (header := self._exactly(HEADER.size)) is not None:
            kind, left = cast("tuple[int, int]", HEADER.unpack(header))
            while left:
                chunk = self._received(min(left, CHUNK_BYTES))
                if not chunk or not take(STREAMS.get(kind, "stdout"), chunk):
                    return
                left -= len(chunk)

    def _exactly(self, size: int) -> bytes | None:
        """Return `size` bytes, or None at the end of the stream."""
        read = b""
        while len(read) < size:
            chunk = self._received(size - len(read))
            if not chunk:
                return None
            read += chunk
        return read

    def _received(self, size: int) -> bytes:
        """Return what is there, at most `size` bytes; a socket closed under us is the end of the stream."""
        try:
            return self._socket.recv(size)
        except OSError:
            return b""

    def close(self) -> None:
        """End the reading, from whichever thread."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        for each in (self._attached, self._socket):
            with suppress(OSError):
                cast("socket.socket", each).close()
