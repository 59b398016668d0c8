"""What sandboxed code writes: collected up to a limit, cut there, and passed on while the code runs."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from domain.sandbox import OnOutput


class OutputCollector:
    """Collects both streams up to `limit_bytes` together; what exceeds it is cut and never kept.

    `take` may be called from any one thread; `pump` forwards the chunks in order to the listener on the event loop.
    """

    def __init__(self, limit_bytes: int, on_output: OnOutput | None = None) -> None:
        self._room = limit_bytes
        self._kept: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self._on_output = on_output
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Queue[tuple[str, bytes] | None] | None = None if on_output is None else asyncio.Queue()
        self._when_full: Callable[[], object] | None = None
        self.overflowed = False

    def when_full(self, stop: Callable[[], object]) -> None:
        """Have `stop` called on the event loop, once, when the limit is passed."""
        self._when_full = stop

    def take(self, stream: str, chunk: bytes) -> bool:
        """Keep what fits of `chunk`; False says that the limit is passed and the code must be stopped."""
        kept = chunk[: self._room]
        self._room -= len(kept)
        self._kept[stream] += kept
        if len(kept) < len(chunk) and not self.overflowed:
            self.overflowed = True
            if self._when_full is not None:
                self._loop.call_soon_threadsafe(self._when_full)
        if kept and self._waiting is not None:
            self._loop.call_soon_threadsafe(self._waiting.put_nowait, (stream, kept))
        return not self.overflowed

    def text(self, stream: str) -> str:
        """Return what was kept of a stream; bytes that are no UTF-8 become U+FFFD."""
        return self._kept[stream].decode("utf-8", errors="replace")

    async def __aenter__(self) -> Self:
        """Begin to deliver."""
        self._pump = asyncio.create_task(self._forward()) if self._on_output is not None else None
        return self

    async def __aexit__(self, exc_type: type[BaseException] | None, *_: object) -> None:
        """Deliver what waits; when leaving by an error, stop delivering instead."""
        if self._pump is None or self._waiting is None:
            return
        if exc_type is None:
            self._loop.call_soon(self._waiting.put_nowait, None)
            await self._pump
            return
        self._pump.cancel()
        with suppress(asyncio.CancelledError):
            await self._pump

    async def _forward(self) -> None:
        """Hand each chunk to the listener, one at a time."""
        listener, waiting = self._on_output, self._waiting
        while listener is not None and waiting is not None and (item := await waiting.get()) is not None:
            await listener(*item)
