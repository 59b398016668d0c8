"""Where the values of a bound call come from: written in the definition, given to the run, or made by a model, a tool or a person. Pure.

It follows from the definition's expressions alone, so it is known when the question is asked and is stored with it.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from pydantic import Field, JsonValue

from domain.expressions import references
from domain.labels import Label
from domain.model import Wire
from domain.program import ApproveStep, CallStep, DoStep, Program, SagaStep, SetStep, Step, SwitchStep

Source = Literal["literal", "input", "config", "model", "tool", "person", "signal", "step"]
"""What made a value; `step` is a step of the platform's own, such as a branch or its status."""

_KINDS: dict[str, Source] = {"agent": "model", "call": "tool", "approve": "person", "listen": "signal"}
_COPY = re.compile(r"\$\{\s*[A-Za-z_][\w.]*\s*\}\Z")
"""A template that only names a value; anything else computes."""

ORIGINS_MAX = 200
"""Most arguments that are told apart; of larger calls only whole arguments are named."""


class Origin(Wire):
    """One source of a value: the step that made it, and the dotted place in the step's output, in the input or in the config."""

    source: Source
    step: str | None = None
    path: str = ""


class ArgumentOrigin(Wire):
    """Where one argument of a bound call comes from; `argument` is dotted. `computed` says that it is more than a copy of one value.

    `labels` are the sources of everything that may have shaped it, as far as the run knew when the question was asked.
    """

    step: str
    argument: str
    origins: list[Origin]
    computed: bool = False
    labels: list[Label] = Field(default=[], exclude_if=lambda labels: not labels)


def provenance_of(program: Program, step: ApproveStep) -> list[ArgumentOrigin]:
    """Return the origin of each argument that an approval binds, in the order of its calls; arguments fed later are left out."""
    return _provenance({each.path: each for each in _all(program.steps)}, step)


def _provenance(steps: dict[str, Step], step: ApproveStep) -> list[ArgumentOrigin]:
    found: list[ArgumentOrigin] = []
    for path in step.binds:
        call = steps.get(path)
        template = call.arguments if isinstance(call, CallStep) else None
        later = {name.removeprefix(f"{path}.").split(".")[0] for name in step.unbound if name.startswith(f"{path}.")}
        known = {name: part for name, part in template.items() if name not in later} if isinstance(template, dict) else {}
        parts = list(_leaves("", known))
        if len(parts) > ORIGINS_MAX:
            parts = list(known.items())
        found += [_argument(path, name, part, steps) for name, part in parts]
    return found


def conversation_behind(steps: Sequence[Step], step: ApproveStep) -> str | None:
    """Return the agent step whose answer a reviewer judges: the first that feeds a bound argument, or else the question's own text."""
    known = {each.path: each for each in _all(steps)}
    origins = [origin for argument in _provenance(known, step) for origin in argument.origins]
    origins += _trace(step.title, known, frozenset()).origins
    return next((origin.step for origin in origins if origin.source == "model"), None)


def _all(steps: Sequence[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        if isinstance(step, DoStep | SagaStep):
            yield from _all(step.steps)
        elif isinstance(step, SwitchStep):
            for case in step.cases:
                yield from _all(case.steps)


def _leaves(name: str, template: JsonValue) -> Iterator[tuple[str, JsonValue]]:
    """Yield the parts of a template that are no mappings, with their dotted names."""
    if isinstance(template, dict) and template:
        for key, part in template.items():
            yield from _leaves(f"{name}.{key}" if name else key, part)
    elif name:
        yield name, template


def _argument(call: str, name: str, template: JsonValue, steps: dict[str, Step]) -> ArgumentOrigin:
    traced = _trace(template, steps, frozenset())
    return ArgumentOrigin(step=call, argument=name, origins=traced.origins or [Origin(source="literal")], computed=traced.computed)


class _Traced(NamedTuple):
    """What a template reads in the end, each once, and whether it does more than copy one value."""

    origins: list[Origin]
    computed: bool


def _trace(template: JsonValue, steps: dict[str, Step], seen: frozenset[str]) -> _Traced:
    read = [_read(root, dotted, steps, seen) for root, dotted in sorted(references(template))]
    copied = isinstance(template, str) and _COPY.match(template) is not None
    origins: list[Origin] = []
    for each in (origin for traced in read for origin in traced.origins):
        if each not in origins:
            origins.append(each)
    return _Traced(origins, bool(read) and (not copied or any(traced.computed for traced in read)))


def _read(root: str, dotted: str, steps: dict[str, Step], seen: frozenset[str]) -> _Traced:
    if root == "input":
        return _Traced([Origin(source="input", path=dotted)], computed=False)
    if root == "config":
        return _Traced([Origin(source="config", path=dotted)], computed=False)
    keys = dotted.split(".") if dotted else []
    path = next((".".join(keys[:n]) for n in range(len(keys), 0, -1) if ".".join(keys[:n]) in steps), None)
    if path is None:
        return _Traced([Origin(source="step", path=dotted)], computed=True)
    step, rest = steps[path], keys[path.count(".") + 1 :]
    if rest[:1] != ["output"]:
        return _Traced([Origin(source="step", step=path, path=".".join(rest))], computed=False)
    remade = step.output_as is not None
    if isinstance(step, SetStep) and not remade and path not in seen:
        traced = _trace(_inner(step.value, rest[1:]), steps, seen | {path})
        return traced if traced.origins else _Traced([Origin(source="literal", step=path)], computed=False)
    return _Traced([Origin(source=_KINDS.get(step.kind, "step"), step=path, path=".".join(rest[1:]))], computed=remade)


def _inner(template: JsonValue, keys: list[str]) -> JsonValue:
    """Return the part of a template that a path reads, or the whole where the path leads into a value."""
    for key in keys:
        if not isinstance(template, dict) or key not in template:
            break
        template = template[key]
    return template
