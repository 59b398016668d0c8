"""Run flows: one driver that blocks, one that awaits. All I/O and all waiting of the client is here."""

import asyncio
import time
from collections.abc import AsyncGenerator, Generator
from typing import TypeVar

import httpx2

from standfast_client.exchange import Answer, Flow, Link, Lost, Pause, Reply, Request, RetryPolicy, Wish
from standfast_client.settings import Connection
from standfast_client.transport import answered, lost, outgoing, tls_for, trusts_proxies

T = TypeVar("T")


class Driver:
    """Runs flows on `httpx2.Client`."""

    def __init__(self, connection: Connection, retry: RetryPolicy, transport: httpx2.BaseTransport | None) -> None:
        """Open no connection yet."""
        self.link = Link(connection.url, retry)
        self._connection = connection
        self._http = httpx2.Client(transport=transport, verify=tls_for(connection.url), trust_env=trusts_proxies(connection.url))

    def run(self, flow: Flow[T]) -> T:
        """Do what the flow wishes until it returns."""
        reply: Reply = None
        while True:
            try:
                wish = flow.send(reply)
            except StopIteration as end:
                return end.value
            reply = self._perform(wish)

    def parts(self, request: Request) -> Generator[Answer | Lost | bytes]:
        """Send a request and yield its answer's head, then its body as it comes, and why it broke off if it did."""
        try:
            response = self._http.send(outgoing(request, self._connection), stream=True)
            try:
                if response.status_code != 200:
                    response.read()
                yield answered(response) if response.status_code != 200 else Answer(200, {}, b"")
                if response.status_code == 200:
                    yield from response.iter_bytes()
            finally:
                response.close()
        except httpx2.TransportError as error:
            yield lost(error)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _perform(self, wish: Wish) -> Reply:
        if isinstance(wish, Pause):
            time.sleep(wish.seconds)
            return None
        try:
            return answered(self._http.send(outgoing(wish, self._connection)))
        except httpx2.TransportError as error:
            return lost(error)


class AsyncDriver:
    """Runs flows on `httpx2.AsyncClient`."""

    def __init__(self, connection: Connection, retry: RetryPolicy, transport: httpx2.AsyncBaseTransport | None) -> None:
        """Open no connection yet."""
        self.link = Link(connection.url, retry)
        self._connection = connection
        self._http = httpx2.AsyncClient(transport=transport, verify=tls_for(connection.url), trust_env=trusts_proxies(connection.url))

    async def run(self, flow: Flow[T]) -> T:
        """Do what the flow wishes until it returns."""
        reply: Reply = None
        while True:
            try:
                wish = flow.send(reply)
            except StopIteration as end:
                return end.value
            reply = await self._perform(wish)

    async def parts(self, request: Request) -> AsyncGenerator[Answer | Lost | bytes]:
        """Send a request and yield its answer's head, then its body as it comes, and why it broke off if it did."""
        try:
            response = await self._http.send(outgoing(request, self._connection), stream=True)
            try:
                if response.status_code != 200:
                    await response.aread()
                yield answered(response) if response.status_code != 200 else Answer(200, {}, b"")
                if response.status_code == 200:
                    async for part in response.aiter_bytes():
                        yield part
            finally:
                await response.aclose()
        except httpx2.TransportError as error:
            yield lost(error)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _perform(self, wish: Wish) -> Reply:
        if isinstance(wish, Pause):
            await asyncio.sleep(wish.seconds)
            return None
        try:
            return answered(await self._http.send(outgoing(wish, self._connection)))
        except httpx2.TransportError as error:
            return lost(error)
