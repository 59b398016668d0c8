"""The values expressions see: `input`, `config` and `steps`, built from the stepper's state. Pure."""

from typing import cast

from pydantic import JsonValue

from domain.program import Program
from domain.projection import unproject
from domain.state import RunContext, State, StepStatus


def expression_context(program: Program, state: State, run: RunContext) -> dict[str, JsonValue]:
    """Return the context of an expression: what has not happened is not there, so `has(…)` tells."""
    steps: dict[str, JsonValue] = {}
    for path, record in state.steps.items():
        node = _node(steps, path)
        node["status"] = record.status.value
        if record.fields or record.status is StepStatus.SUCCEEDED:
            node["output"] = unproject(record.fields)
    return {"input": run.input, "config": dict(program.config), "steps": steps}


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
