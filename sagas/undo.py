"""Unwinding a saga: latest first, one at a time, each until it is done or a person has settled it (DESIGN §8).

Deterministic: what touches the world comes in as `call` and `ask`. The run workflow and hand-written workflows share it.
"""

from collections.abc import Awaitable, Callable
from typing import Literal

from domain.state import Failure, RenderedUndo

BY_HAND = "Undo it by hand and answer `happened`, or answer `did_not_happen` to have it tried again."

Answer = Literal["happened", "did_not_happen", "give_up"]

Call = Callable[[RenderedUndo], Awaitable[Failure | None]]
"""Runs one compensation to its end; returns why it failed for good, or None."""

Ask = Callable[[RenderedUndo, str, str], Awaitable[Answer]]
"""Opens a human task of a kind (`in_doubt`, `failed_compensation`) with a detail and waits for the answer."""


async def unwind(undo: list[RenderedUndo], *, call: Call, ask: Ask) -> None:
    """Run the compensations in the order given; returns only when each is done or settled by a person."""
    for entry in undo:
        if await _wanted(entry, ask):
            await _compensate(entry, call, ask)


async def _wanted(entry: RenderedUndo, ask: Ask) -> bool:
    """A step in doubt is undone only if its compensation says that is safe; otherwise a person says whether it happened."""
    if entry.known == "happened" or entry.if_unknown == "compensate":
        return True
    return (
        await ask(entry, "in_doubt", f"It is unknown whether {entry.step} happened. If it did, it will be undone by {entry.tool}.")
        == "happened"
    )


async def _compensate(entry: RenderedUndo, call: Call, ask: Ask) -> None:
    """Try until done; after a failure for good a person settles it by hand (`happened`) or has it tried again."""
    failure = await _once(entry, call)
    while failure is not None:
        detail = f"{entry.tool} could not undo {entry.step}: {failure.detail}. {BY_HAND}"
        if await ask(entry, "failed_compensation", detail) != "did_not_happen":
            return
        failure = await _once(entry, call)


async def _once(entry: RenderedUndo, call: Call) -> Failure | None:
    return Failure(code="expression-failed", detail=entry.problem) if entry.problem is not None else await call(entry)
