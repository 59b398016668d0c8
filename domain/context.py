"""The values expressions see: `input`, `config` and `steps`, built from the stepper's state. Pure.

Only the steps that an expression names are laid out for it: of a run of thousands of steps it costs no more than of one of ten.
"""

from collections.abc import Iterable
from itertools import takewhile
from typing import cast

from pydantic import JsonValue

from domain.program import Program
from domain.projection import unproject
from domain.state import RunContext, State, StepRecord, StepStatus

OWN_NAMES = frozenset({"status", "output"})
"""What a step has of its own in an expression; no step inside it is called so."""


def expression_context(program: Program, state: State, run: RunContext, reads: Iterable[tuple[str, ...]]) -> dict[str, JsonValue]:
    """Return the context of expressions that read these paths of `steps` (the empty path is all of it).

    What has not happened is not there, so `has(…)` tells.
    """
    steps: dict[str, JsonValue] = {}
    for path, record in records_read(state, reads).items():
        node = _node(steps, path)
        node["status"] = record.status.value
        if record.fields or record.status is StepStatus.SUCCEEDED:
            node["output"] = unproject(record.fields)
    return {"input": run.input, "config": dict(program.config), "steps": steps}


def records_read(state: State, reads: Iterable[tuple[str, ...]]) -> dict[str, StepRecord]:
    """Return the records behind paths of `steps`: of each step on the way, and of all inside one that is read as a whole."""
    found: dict[str, StepRecord] = {}
    for path in reads:
        names = list(takewhile(lambda name: name not in OWN_NAMES, path))
        on_the_way = (".".join(names[:length]) for length in range(1, len(names) + 1))
        found |= {one: state.steps[one] for one in on_the_way if one in state.steps}
        if len(names) == len(path):
            inside = "".join(f"{name}." for name in names)
            found |= {one: record for one, record in state.steps.items() if one.startswith(inside)}
    return found


def _node(steps: dict[str, JsonValue], path: str) -> dict[str, JsonValue]:
    node = steps
    for key in path.split("."):
        child = node.setdefault(key, {})
        node = cast("dict[str, JsonValue]", child)  # step names `status` and `output` are refused at registration
    return node


def with_self(context: dict[str, JsonValue], *, output: JsonValue, arguments: JsonValue = None) -> dict[str, JsonValue]:
    """Return the context with `self`: the step's own output and what it was called with."""
    own: dict[str, JsonValue] = {"arguments": arguments}
    if output is not None:
        own["output"] = output
    return {**context, "self": own}
