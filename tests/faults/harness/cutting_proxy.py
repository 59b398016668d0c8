"""A TCP proxy before the gateway that can withhold an answer: the request goes through, the answer never reaches the client."""

import asyncio
import re
from collections.abc import Awaitable, Callable

KEY = re.compile(rb"\r\nidempotency-key: *([^\r\n]+)", re.IGNORECASE)

Cut = Callable[[str], Awaitable[bool]]
"""Asked with the request's Idempotency-Key when the gateway's answer has come; True withholds it and closes the connection."""


class CuttingProxy:
    """Listens on a free loopback port; each connection carries one request at a time."""

    def __init__(self, port: int, *, seen: Callable[[str], None], cut: Cut) -> None:
        """Stand before the gateway's port; `seen` is told each request's key when it has been passed on."""
        self._port = port
        self._seen = seen
        self._cut = cut
        self._server: asyncio.Server | None = None
        self.cuts = 0

    async def start(self) -> str:
        """Listen, and return the base URL."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream, to_gateway = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.close()
            return
        key = [""]
        forward = asyncio.create_task(self._requests(reader, to_gateway, key))
        try:
            while answer := await upstream.read(65536):
                if key[0] and await self._cut(key[0]):
                    self.cuts += 1
                    break
                writer.write(answer)
                await writer.drain()
        except OSError:
            pass
        finally:
            forward.cancel()
            to_gateway.close()
            writer.close()

    async def _requests(self, reader: asyncio.StreamReader, to_gateway: asyncio.StreamWriter, key: list[str]) -> None:
        """Pass requests on, and note the key of the one in flight."""
        try:
            while chunk := await reader.read(65536):
                found = KEY.search(chunk)
                if found is not None:
                    key[0] = found[1].decode()
                to_gateway.write(chunk)
                await to_gateway.drain()
                if found is not None:
                    self._seen(key[0])
        except OSError:
            return
