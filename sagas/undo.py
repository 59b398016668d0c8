"""Unwinding a saga: latest first, each until it is done or a person has settled it, lanes beside each other (DESIGN §8).

Deterministic: what touches the world comes in as `call` and `ask`. The run workflow and hand-written workflows share it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

from domain.state import Failure, RenderedUndo, UndoEnd

BY_HAND = "Undo it by hand and answer `happened`, or answer `did_not_happen` to have it tried again."

Answer = Literal["happened", "did_not_happen", "give_up"]

Call = Callable[[RenderedUndo], Awaitable[Failure | None]]
"""Runs one compensation to its end; returns why it failed for good, or None."""

Ask = Callable[[RenderedUndo, str, str], Awaitable[Answer]]
"""Opens a human task of a kind (`in_doubt`, `failed_compensation`) with a detail and waits for the answer."""


async def unwind(undo: list[RenderedUndo], *, call: Call, ask: Ask) -> dict[str, UndoEnd]:
    """Run the compensations in the order given, those of different lanes at once; returns how each ended, when all have."""
    lanes: dict[str, list[RenderedUndo]] = {}
    for entry in undo:
        lanes.setdefault(entry.lane, []).append(entry)
    if len(lanes) < 2:  # no task of its own where there is one lane: what runs alone keeps its place in old histories
        return await _lane(undo, call, ask)
    ends = await asyncio.gather(*(_lane(lane, call, ask) for lane in lanes.values()))
    return {step: end for each in ends for step, end in each.items()}


async def _lane(undo: list[RenderedUndo], call: Call, ask: Ask) -> dict[str, UndoEnd]:
    ends: dict[str, UndoEnd] = {}
    for entry in undo:
        ends[entry.step] = await _unwanted(entry, ask) or await _compensate(entry, call, ask)
    return ends


async def _unwanted(entry: RenderedUndo, ask: Ask) -> UndoEnd | None:
    """A step in doubt is undone only if its compensation says that is safe; otherwise a person says whether it happened."""
    if entry.known == "happened" or entry.if_unknown == "compensate":
        return None
    detail = f"It is unknown whether {entry.step} happened. If it did, it will be undone by {entry.tool}."
    answer = await ask(entry, "in_doubt", detail)
    return None if answer == "happened" else "given_up" if answer == "give_up" else "not_happened"


async def _compensate(entry: RenderedUndo, call: Call, ask: Ask) -> UndoEnd:
    """Try until done; after a failure for good a person settles it by hand (`happened`) or has it tried again."""
    failure = await _once(entry, call)
    while failure is not None:
        detail = f"{entry.tool} could not undo {entry.step}: {failure.detail}. {BY_HAND}"
        answer = await ask(entry, "failed_compensation", detail)
        if answer != "did_not_happen":
            return "by_hand" if answer == "happened" else "given_up"
        failure = await _once(entry, call)
    return "undone"


async def _once(entry: RenderedUndo, call: Call) -> Failure | None:
    return Failure(code="expression-failed", detail=entry.problem) if entry.problem is not None else await call(entry)
