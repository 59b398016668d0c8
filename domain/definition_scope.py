"""What an expression at some place of a definition may read, and what is known of its types. Pure.

The same walk answers three questions: does a reference exist here, what type has it, and which output fields must travel in
history (JOURNAL §7).
"""

import contextlib
from collections.abc import Iterator

from pydantic import JsonValue

from domain.definition_keywords import near
from domain.definition_parts import ParsedDefinition, Spot
from domain.errors import ExpressionFailed
from domain.expressions import Reference, whole
from domain.program import AgentStep, ApproveStep, CallStep, DoStep, ListenStep, SagaStep, SetStep, Step, SwitchStep, TaskStep
from domain.schema_fields import MissingField, Schema, field_schema, type_of
from domain.tools import ToolSpec

_APPROVAL: Schema = {"properties": {"decision": {"type": "string"}}, "additionalProperties": True}


class OutOfScope(Exception):
    """A reference to what is not there, or not there yet. `instead` may say what to write."""

    def __init__(self, message: str, instead: str = "") -> None:
        super().__init__(message)
        self.instead = instead


def inner_steps(step: Step) -> list[Step]:
    """Return the steps directly inside a container, in order; empty for other steps."""
    if isinstance(step, SwitchStep):
        return [inner for case in step.cases for inner in case.steps]
    return step.steps if isinstance(step, DoStep | SagaStep) else []


def walk(steps: list[Step]) -> Iterator[Step]:
    """Yield every step, containers before what is inside."""
    for step in steps:
        yield step
        yield from walk(inner_steps(step))


def parallel_sagas(steps: list[Step]) -> list[str]:
    """Return the paths of the sagas that run their steps at once, outer ones first."""
    return [step.path for step in walk(steps) if isinstance(step, SagaStep) and step.mode == "parallel"]


def beside(sagas: list[str], one: str, other: str) -> str | None:
    """Return which of these parallel sagas has the two steps in different branches, None when they do not run at once."""
    shared = (path for path in sagas if one.startswith(path + ".") and other.startswith(path + "."))
    return next((path for path in shared if _branch(path, one) != _branch(path, other)), None)


def _branch(saga: str, step: str) -> str:
    return step.removeprefix(saga + ".").partition(".")[0]


class Scope:
    """The names of one definition, with the tools it uses."""

    def __init__(self, parsed: ParsedDefinition, tools: dict[str, ToolSpec]) -> None:
        self._parsed = parsed
        self._tools = tools
        self.steps = {step.path: step for step in walk(parsed.steps)}
        self._parallel = parallel_sagas(parsed.steps)
        self._order = {path: index for index, path in enumerate(parsed.order)}

    @property
    def order(self) -> list[str]:
        """The paths of the steps, as they stand."""
        return self._parsed.order

    @property
    def input_schema(self) -> Schema:
        """The schema of the run's input."""
        return self._parsed.input_schema

    def type_of(self, reference: Reference, spot: Spot) -> tuple[str, dict[str, str]]:
        """Return the type of a reference, and the known types of its prefixes by dotted name.

        Raises:
            OutOfScope: the reference cannot be read at `spot`.
        """
        kind = self._kind(reference.root, reference.path, spot)
        types: dict[str, str] = {}
        for length in range(1, len(reference.path) + 1):
            path = reference.path[:length]
            # A step around this one may not be read as a whole, but what it holds may.
            with contextlib.suppress(OutOfScope):
                known = self._kind(reference.root, path, spot)
                types.update({".".join((reference.root, *path)): known} if known != "dyn" else {})
        return kind, types

    def _kind(self, root: str, path: tuple[str, ...], spot: Spot) -> str:
        if spot.use == "subject" and root not in ("input", "config"):
            raise OutOfScope("the data subject is known when the run starts: `subject` reads `input` and `config` only", "input.…")
        if root == "input":
            return self._field(self._parsed.input_schema, path, "the input")
        if root == "config":
            if not self._parsed.config_schema:
                raise OutOfScope("this definition declares no `config`", "config: {schema: {…}, defaults: {…}}")
            return self._field(self._parsed.config_schema, path, "the config")
        if root == "self":
            return self._own(path, spot)
        return self._step_kind(path, spot)

    def _own(self, path: tuple[str, ...], spot: Spot) -> str:
        if spot.use not in ("output_as", "compensation"):
            raise OutOfScope("`self` stands only in `output.as` and in the arguments of `compensate`", "steps.<name>.output")
        if not path or path[0] == "arguments":
            return "dyn"
        if path[0] != "output":
            raise OutOfScope(f"`self` has `output` and `arguments`, no `{path[0]}`", "self.output")
        step = self.steps[spot.owner]
        schema = self.raw_output(step) if spot.use == "output_as" else self.output(step)
        return self._field(schema, path[1:], "this step's output")

    def _step_kind(self, path: tuple[str, ...], spot: Spot) -> str:
        target, rest = self.split(path)
        if target is None:
            if rest:
                names = [name.split(".")[0] for name in self.steps]
                raise OutOfScope(f"there is no step `{rest[0]}`", near(rest[0], names))
            return "dyn"
        self._check_order(target, spot)
        if not rest:
            return "dyn"
        if rest[0] == "status":
            return "string" if len(rest) == 1 else "dyn"
        if rest[0] != "output":
            known = ["status", "output", *(inner.path.rsplit(".", 1)[1] for inner in inner_steps(self.steps[target]))]
            close = f"steps.{target}.output.{rest[0]}" if not inner_steps(self.steps[target]) else near(rest[0], known)
            raise OutOfScope(f"the step `{target}` has no `{rest[0]}`", close)
        return self._field(self.output(self.steps[target]), rest[1:], f"the output of `{target}`")

    def split(self, path: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
        """Return the longest step path at the beginning of `path`, and what follows."""
        for length in range(len(path), 0, -1):
            if ".".join(path[:length]) in self.steps:
                return ".".join(path[:length]), path[length:]
        return None, path

    def _check_order(self, target: str, spot: Spot) -> None:
        owner = spot.owner
        if not owner:
            return
        if target == owner:
            if spot.use == "compensation":
                return
            raise OutOfScope(f"the step `{target}` cannot read itself here", "self.output" if spot.use == "output_as" else "")
        if owner.startswith(f"{target}."):
            raise OutOfScope(f"the step `{target}` is still going on here; name a step inside it")
        if target.startswith(f"{owner}."):
            if spot.use == "output_as":
                return
            raise OutOfScope(f"the step `{target}` runs after this")
        if self._order[target] > self._order[owner]:
            raise OutOfScope(f"the step `{target}` runs after `{owner}`; a step reads only what came before it")
        saga = beside(self._parallel, owner, target)
        if saga is not None:
            raise OutOfScope(f"the step `{target}` runs beside this one in the parallel saga `{saga}`")
        self._check_cases(target, owner)

    def _check_cases(self, target: str, owner: str) -> None:
        for path, case in self._parsed.cases.items():
            holds_owner = owner == path or owner.startswith(f"{path}.")
            if not holds_owner:
                continue
            switch = path.rsplit(".", 1)[0]
            for other, other_case in self._parsed.cases.items():
                same = other.rsplit(".", 1)[0] == switch
                if same and other_case != case and (target == other or target.startswith(f"{other}.")):
                    raise OutOfScope(f"the step `{target}` stands in another case of the switch `{switch}` and never runs before this one")

    def output(self, step: Step) -> Schema:
        """Return the schema of a step's final output, `{}` if nothing is known."""
        return self.raw_output(step) if step.output_as is None else _shape(step.output_as)

    def raw_output(self, step: Step) -> Schema:
        """Return the schema of a step's output before `output.as`."""
        if isinstance(step, CallStep):
            return self._tools[step.tool].output_schema if step.tool in self._tools else {}
        if isinstance(step, AgentStep):
            return step.output_schema or {}
        if isinstance(step, ApproveStep):
            return _APPROVAL
        if isinstance(step, ListenStep):
            return {}
        if isinstance(step, TaskStep):
            return step.form or {}
        if isinstance(step, SetStep):
            return _shape(step.value)
        inner: dict[str, JsonValue] = {child.path.rsplit(".", 1)[1]: self.output(child) for child in inner_steps(step)}
        return {"type": "object", "properties": inner}

    def _field(self, schema: Schema, path: tuple[str, ...], where: str) -> str:
        try:
            return type_of(field_schema(schema, path), schema)
        except MissingField as missing:
            raise OutOfScope(f"{where} declares no field `{missing.name}`", near(missing.name, missing.known)) from missing


def _shape(template: JsonValue) -> Schema:
    """Return what a template's own form says of its value's type."""
    if isinstance(template, dict):
        properties: dict[str, JsonValue] = {key: _shape(value) for key, value in template.items()}
        return {"type": "object", "properties": properties}
    if isinstance(template, list):
        return {"type": "array"}
    if isinstance(template, bool):
        return {"type": "boolean"}
    if isinstance(template, int):
        return {"type": "integer"}
    if isinstance(template, str):
        try:
            return {} if whole(template) is not None else {"type": "string"}
        except ExpressionFailed:
            return {}
    return {}
