"""What is made when it is first asked for: each vendor's SDK takes a second or more to load."""

import asyncio
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    """Something with connections to close."""

    async def aclose(self) -> None:
        """Close them."""
        ...


MadeT = TypeVar("MadeT", bound=Closable)


class Late(Generic[MadeT]):
    """Something that `build` makes once, in a thread, so that nothing else in the process waits for the import."""

    def __init__(self, build: Callable[[], MadeT]) -> None:
        self._build = build
        self._building = asyncio.Lock()
        self._made: MadeT | None = None

    async def get(self) -> MadeT:
        """Return it, made now if it is not there yet."""
        async with self._building:
            if self._made is None:
                self._made = await asyncio.to_thread(self._build)
        return self._made

    async def aclose(self) -> None:
        """Close its connections, if it was ever made."""
        if self._made is not None:
            await self._made.aclose()
