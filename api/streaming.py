"""One watcher of a run: what it is told as server-sent events, until the run ends, the watcher is too slow, or its time is up.

Nothing is kept for a watcher but its cursor: the next event is read when the last one was accepted, so that a slow one costs no memory.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from starlette.types import Message, Send

from api.stream_deps import StreamDeps
from domain.errors import StandfastError
from domain.streams import Narrator, StreamEvent, news, open_deltas

log = logging.getLogger(__name__)

LIFE_S_MAX = 900.0
"""A stream is ended after this long, and its watcher comes again at its cursor: with a key that is still valid."""

LOOK_S = 0.25
"""A watcher with open attempts looks for itself after this long without a wakeup, so that none is needed for anything but speed."""

LEDGER_S = 0.1
"""While deltas come, entries are looked for this often."""

RETRY_MS = 1000
"""How long a browser waits before it comes again."""


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Who watches what: a run of the caller's tenant, and the entry up to which it was settled before the watcher came."""

    tenant: str
    run: str
    settled_until: int


class EventStream(EventSourceResponse):
    """A response that ends when its reader does not accept an event in time; the reader goes on with the id of the last that it got."""

    def __init__(self, content: AsyncIterator[bytes], *, send_s: float) -> None:
        super().__init__(content, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        self._send_s = send_s

    async def stream_response(self, send: Send) -> None:
        """Send, each part within its time."""

        async def in_time(message: Message) -> None:
            async with asyncio.timeout(self._send_s):
                await send(message)

        try:
            await super().stream_response(in_time)
        except TimeoutError:
            log.info("a watcher took longer than %g s to accept an event, and is cut", self._send_s)


async def told(deps: StreamDeps, watch: Watch, narrator: Narrator) -> AsyncGenerator[bytes]:
    """Tell what happens, and a comment in silence."""
    clock = asyncio.get_running_loop().time
    over_at, spoke_at = clock() + LIFE_S_MAX, clock()
    teller = _Teller(deps, watch, narrator)
    with deps.watching.watch(watch.tenant, watch.run) as woken:
        yield format_sse_event(retry=RETRY_MS)
        while clock() < over_at and not deps.watching.over:
            woken.clear()
            try:
                async for event in teller.look():
                    spoke_at = clock()
                    yield wire(event)
                    if event.kind == "end":
                        return
            except StandfastError as error:
                log.info("the stream of run %s is cut, and its watcher comes again: %s", watch.run, error.detail)
                return
            if clock() - spoke_at >= deps.heartbeat_s:
                spoke_at = clock()
                yield KEEPALIVE_COMMENT
            quiet_s = deps.heartbeat_s - (clock() - spoke_at)
            try:
                async with asyncio.timeout(min(LOOK_S, quiet_s) if narrator.open_streams() else quiet_s):
                    await woken.wait()
            except TimeoutError:
                continue


class _Teller:
    """Looks for news: at deltas first, which are waited for, and while they come seldom at anything else."""

    def __init__(self, deps: StreamDeps, watch: Watch, narrator: Narrator) -> None:
        self._deps = deps
        self._watch = watch
        self._narrator = narrator
        self._read_at = float("-inf")

    async def look(self) -> AsyncGenerator[StreamEvent]:
        """Tell what there is now."""
        clock = asyncio.get_running_loop().time
        reader, watch = self._deps.reader, self._watch
        found = False
        async for event in open_deltas(reader, self._narrator):
            found = True
            yield event
        if found and clock() - self._read_at < LEDGER_S:
            return
        self._read_at = clock()
        async for event in news(reader, self._narrator, tenant=watch.tenant, run=watch.run, settled_until=watch.settled_until):
            yield event


def wire(event: StreamEvent) -> bytes:
    """Return an event as it travels."""
    return format_sse_event(event=event.kind, data_str=json.dumps(event.data, ensure_ascii=False), id=str(event.cursor))
