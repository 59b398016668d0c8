"""Where the pieces of a model's answer go while it arrives (JOURNAL §6): outside history and ledger. Pure."""

from typing import Protocol

from pydantic import Field

from domain.model import Value
from domain.provider import Delta


class StreamKey(Value):
    """One attempt at one model call of a run: whoever tells the call again has another key, and what the old one told is void."""

    tenant: str
    run: str
    step: str
    visit: int = Field(ge=1)
    call: str
    epoch: int = Field(ge=0)
    attempt: int = Field(ge=1)


class DeltaStream(Protocol):
    """Takes the pieces of one attempt, in order."""

    async def write(self, delta: Delta) -> None:
        """Take a piece; returns at once, and never fails the call: a stream that cannot be kept is cut, the answer is not."""
        ...

    async def restart(self) -> None:
        """Say that what was taken is void: another model gives the answer."""
        ...

    async def close(self) -> None:
        """Say that no piece follows, and wait (briefly) until those taken can be seen: they come before the step's end."""
        ...


class DeltaSink(Protocol):
    """Opens streams."""

    def open(self, key: StreamKey) -> DeltaStream:
        """Return the stream of one attempt."""
        ...
