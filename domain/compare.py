"""Two runs side by side: how they ended, what they used, and each step's outcome. Pure.

A step is told from its facts and effects; a step that a fork took over from its parent has none in the fork, and counts as copied.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import cast

from pydantic import JsonValue

from domain.effects import EffectState
from domain.ledger import Kind, StoredEntry
from domain.model import Value
from domain.past import is_undo
from domain.runs import RunStatus
from domain.stores import EffectRow, RunRow

STATUS = {
    Kind.STEP_ENTERED: "entered",
    Kind.SAGA_STARTED: "entered",
    Kind.STEP_COMPLETED: "succeeded",
    Kind.SAGA_COMPLETED: "succeeded",
    Kind.STEP_SKIPPED: "skipped",
    Kind.STEP_FAILED: "failed",
}
"""What a fact about a step says of it; the last one counts."""


class StepSide(Value):
    """A step in one run: entered, succeeded, skipped, failed, or copied from the parent. Money in integer micro-USD.

    `digest` is of the outcome of its last call, None where it made none; `calls` are its effects, undone ones and their undos included.
    """

    status: str
    visits: int = 1
    digest: str | None = None
    calls: int = 0
    failed_calls: int = 0
    simulated_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd_micros: int = 0
    duration_ms: int = 0


class StepPair(Value):
    """One step in both runs; None where a run did not come to it. `same` says that both ended alike, with calls of equal outcomes."""

    step: str
    a: StepSide | None
    b: StepSide | None
    same: bool


class RunSide(Value):
    """One run as a whole. `duration_ms` is from its acceptance to its end, None while it is open."""

    run: str
    definition: str
    version: str
    status: RunStatus
    error: dict[str, str] | None
    result: JsonValue
    input_tokens: int
    output_tokens: int
    cost_usd_micros: int
    duration_ms: int | None


class Comparison(Value):
    """Two runs. `related` says in words whether one is a fork of the other; differences are b minus a."""

    a: RunSide
    b: RunSide
    related: str | None
    same_outcome: bool
    tokens_difference: int
    cost_difference_usd_micros: int
    steps: tuple[StepPair, ...]


class Compared(Value):
    """What is compared of one run."""

    row: RunRow
    result: JsonValue
    effects: tuple[EffectRow, ...]
    entries: tuple[StoredEntry, ...]


def compare(a: Compared, b: Compared) -> Comparison:
    """Return both runs side by side, steps in the order in which they were first reached."""
    steps_a, steps_b = _steps(a), _steps(b)
    _copy_from_parent(a.row, steps_a, b.row, steps_b)
    _copy_from_parent(b.row, steps_b, a.row, steps_a)
    side_a, side_b = _side(a), _side(b)
    return Comparison(
        a=side_a,
        b=side_b,
        related=_related(a.row, b.row) or _related(b.row, a.row),
        same_outcome=(side_a.status, side_a.result, side_a.error) == (side_b.status, side_b.result, side_b.error),
        tokens_difference=side_b.input_tokens + side_b.output_tokens - side_a.input_tokens - side_a.output_tokens,
        cost_difference_usd_micros=side_b.cost_usd_micros - side_a.cost_usd_micros,
        steps=tuple(_pair(step, steps_a.get(step), steps_b.get(step)) for step in _ordered(steps_a, steps_b)),
    )


def _ordered(a: dict[str, StepSide], b: dict[str, StepSide]) -> list[str]:
    """The steps of both, those of the run that came to more of them first in line."""
    longer, other = (a, b) if len(a) >= len(b) else (b, a)
    return [*longer, *(step for step in other if step not in longer)]


def _pair(step: str, a: StepSide | None, b: StepSide | None) -> StepPair:
    alike = a is not None and b is not None and (_end(a), a.digest) == (_end(b), b.digest)
    return StepPair(step=step, a=a, b=b, same=alike)


def _end(side: StepSide) -> str:
    return "succeeded" if side.status == "copied" else side.status


def _side(given: Compared) -> RunSide:
    row = given.row
    took = None if row.closed_at is None else datetime.fromisoformat(row.closed_at) - datetime.fromisoformat(row.created_at)
    same = {name: getattr(row, name) for name in RunSide.model_fields if name not in ("result", "duration_ms")}
    return RunSide.model_validate(
        {**same, "result": given.result, "duration_ms": None if took is None else int(took.total_seconds() * 1000)}
    )


def _related(child: RunRow, parent: RunRow) -> str | None:
    if child.parent_run != parent.run:
        return None
    return f"{child.run} is a fork of {parent.run} at {child.fork_step}, with effects {child.fork_effects}"


def _steps(given: Compared) -> dict[str, StepSide]:
    found: dict[str, dict[str, JsonValue]] = {}
    for entry in given.entries:
        if entry.step is None:
            continue
        body = cast("dict[str, JsonValue]", json.loads(entry.body))
        side = found.setdefault(entry.step, {"status": "entered"})
        side["visits"] = max(cast("int", side.get("visits", 1)), cast("int", body.get("visit") or 1))
        if entry.kind in STATUS:
            side["status"] = STATUS[Kind(entry.kind)]
        if entry.kind == Kind.TOOL_SIMULATED:
            side["simulated_calls"] = cast("int", side.get("simulated_calls", 0)) + 1
    return {step: StepSide.model_validate({**side, **_used(given.effects, step)}) for step, side in found.items()}


def _used(effects: Iterable[EffectRow], step: str) -> dict[str, JsonValue]:
    own = [effect for effect in effects if effect.step == step]
    done = [effect.output_digest for effect in own if effect.state == EffectState.DONE and not is_undo(effect.call)]
    return {
        "digest": done[-1] if done else None,
        "calls": len(own),
        "failed_calls": sum(effect.state == EffectState.FAILED for effect in own),
        "input_tokens": sum(effect.input_tokens for effect in own),
        "output_tokens": sum(effect.output_tokens for effect in own),
        "cost_usd_micros": sum(effect.cost_usd_micros for effect in own),
        "duration_ms": sum(_milliseconds(effect) for effect in own),
    }


def _milliseconds(effect: EffectRow) -> int:
    if effect.ended_at is None:
        return 0
    took = datetime.fromisoformat(effect.ended_at) - datetime.fromisoformat(effect.started_at)
    return max(0, int(took.total_seconds() * 1000))


def _copy_from_parent(child: RunRow, steps: dict[str, StepSide], parent: RunRow, known: dict[str, StepSide]) -> None:
    """Show the steps before the fork as copied: the parent came to them before the step it was forked at."""
    if child.parent_run != parent.run or child.fork_step is None:
        return
    own = dict(steps)
    steps.clear()
    for step, side in known.items():
        if step == child.fork_step:
            break
        around = child.fork_step.startswith(step + ".")
        if not around and step not in own and side.status in ("succeeded", "skipped"):
            steps[step] = StepSide(status="copied" if side.status == "succeeded" else side.status, digest=side.digest)
    steps.update(own)
