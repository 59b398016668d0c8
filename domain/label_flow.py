"""How labels flow through a run: from its input and its steps' outputs into templates, and on into what is made of them. Pure.

A step's record carries labels only where something untrusted is in its output; without them an output is what its step's kind makes.
Parts of an output that were put together by the definition itself keep their labels apart, so that one untrusted field does not taint
its neighbours. Conditions carry no labels: they choose what runs, and no value.
"""

from collections.abc import Iterable, Mapping

from pydantic import JsonValue

from domain.expressions import references
from domain.labels import COPIED_PART_CHARS_MAX, COPIED_PARTS_MAX, Label, TrustedValues, leaves, merged, untrusted
from domain.program import CallStep, DoStep, PinnedTool, Program, SagaStep, SetStep, Step, SwitchStep
from domain.state import RunContext, State

Parts = dict[str, list[Label]]
"""Labels by dotted part of a value; '' is the whole."""

MEMORY_TOOLS = "memory."
"""Tools whose results are what some run once stored."""

_KINDS: Mapping[str, list[Label]] = {
    "agent": ["model"],
    "call": ["tool:trusted"],
    "approve": ["user"],
    "task": ["user"],
    "listen": ["signal"],
}


class LabelFlow:
    """The labels of one run as its state has them now."""

    def __init__(self, program: Program, run: RunContext, state: State, steps: Mapping[str, Step]) -> None:
        self._program = program
        self._run = run
        self._state = state
        self._steps = steps

    def of(self, template: JsonValue, own: Parts | None = None) -> list[Label]:
        """Return the labels of what a template gives; `own` are those of `self.output`. Raises: ExpressionFailed."""
        read = references(template)
        found = [self._read(root, dotted, own) for root, dotted in sorted(read)]
        return merged(*found) if read else ["definition"]

    def parts(self, template: JsonValue, own: Parts | None = None) -> Parts:
        """Return the labels of each part of what a template gives. Raises: ExpressionFailed."""
        return {name: self.of(part, own) for name, part in leaves(template)}

    def place(self, source: str) -> list[Label]:
        """Return the labels of what lies at `input.<path>` or `steps.<step>.output.<path>`."""
        root, _, dotted = source.partition(".")
        return self._read(root, dotted, None)

    def input(self, dotted: str) -> list[Label]:
        """Return the labels of a part of the run's input."""
        declared: Parts = {name: ["signal"] for name in self._program.untrusted_input}
        given = {**declared, **self._run.input_labels}
        touching = [labels for name, labels in given.items() if not name or not dotted or _inside(name, dotted) or _inside(dotted, name)]
        return merged(["user"], *touching)

    def output(self, step: Step, raw: Iterable[Label] = ()) -> Parts:
        """Return what to keep of a completed step: the labels of its output where anything in it is untrusted. `raw`: an agent's."""
        own = self._made(step, raw)
        if step.output_as is not None:
            own = self.parts(step.output_as, _under("output", own))
        return own if any(untrusted(labels) for labels in own.values()) else {}

    def trusted(self, template: JsonValue, value: JsonValue) -> list[tuple[str, JsonValue]]:
        """Return short parts of a template's value, and of the run's input, that no untrusted source has shaped, with their names."""
        found = [(name, part) for name, part in leaves(value) if not untrusted(self._part_of(template, name))]
        found += [(name, part) for name, part in leaves(self._run.input) if not untrusted(self.input(name))]
        short: list[tuple[str, JsonValue]] = [(name, part) for name, part in found if part and len(str(part)) <= COPIED_PART_CHARS_MAX]
        return short[:COPIED_PARTS_MAX]

    def arguments(self, template: JsonValue, arguments: dict[str, JsonValue], names: Iterable[str], own: Parts | None = None) -> Parts:
        """Return the labels of some dotted arguments of a call; an exact copy of a trusted part of the input is the user's."""
        found: Parts = {name: self._part_of(template, name, own) for name in names}
        strange = [name for name, labels in found.items() if untrusted(labels)]
        if strange:  # most calls have none, and the input may be large
            known = self._users_own()
            found |= {name: ["user"] for name in strange if known.holds_all(arguments, name)}
        return found

    def own(self, path: str) -> Parts:
        """Return the labels of `self` for the compensation of a call: its output, and its arguments, a reviewer's where one bound them."""
        step, bound = self._steps.get(path), self._state.bound.get(path)
        if not isinstance(step, CallStep):
            return {"": ["tool:untrusted"]}
        called = self.parts(step.arguments)
        if bound is not None:
            seen = [name for name in called if name.split(".")[0] in bound.arguments and name.split(".")[0] not in bound.unbound]
            called |= {name: ["user"] for name in seen}
        return _under("output", self.output(step) or {"": _KINDS["call"]}) | _under("arguments", called)

    def _users_own(self) -> TrustedValues:
        """The parts of the run's input that no untrusted source has shaped."""
        known = TrustedValues()
        for name, part in leaves(self._run.input):
            if not untrusted(self.input(name)):
                known.add_part(name, part)
        return known

    def _part_of(self, template: JsonValue, name: str, own: Parts | None = None) -> list[Label]:
        """The labels of one dotted part; as far as a template spells it out, of that part alone."""
        for key in name.split(".") if name else []:
            if isinstance(template, dict) and key in template:
                template = template[key]
            elif isinstance(template, list) and key.isdigit() and int(key) < len(template):
                template = template[int(key)]
            else:
                break
        return self.of(template, own)

    def _made(self, step: Step, raw: Iterable[Label]) -> Parts:
        if isinstance(step, SetStep):
            return self.parts(step.value)
        if isinstance(step, CallStep):
            return {"": merged(result_labels(self._program.tools[step.tool]), (one for one in self.of(step.arguments) if untrusted([one])))}
        if isinstance(step, DoStep | SagaStep):
            return self._inner(step.steps)
        if isinstance(step, SwitchStep):
            return self._inner(inner for case in step.cases for inner in case.steps)
        return {"": merged(raw, _KINDS.get(step.kind, []))}

    def _inner(self, steps: Iterable[Step]) -> Parts:
        found = Parts()
        for step in steps:
            record = self._state.steps.get(step.path)
            for part, labels in ({} if record is None else record.labels or {"": _KINDS.get(step.kind, [])}).items():
                name = step.path.rpartition(".")[2]
                found[f"{name}.{part}" if part else name] = labels
        return found

    def _read(self, root: str, dotted: str, own: Parts | None) -> list[Label]:
        if root == "input":
            return self.input(dotted)
        if root == "config":
            return ["definition"]
        if root == "self":
            return _part(own or {}, dotted)
        keys = dotted.split(".") if dotted else []
        path = next((".".join(keys[:n]) for n in range(len(keys), 0, -1) if ".".join(keys[:n]) in self._state.steps), None)
        if path is None:
            return merged(*(labels for record in self._state.steps.values() for labels in record.labels.values()))
        record, step, rest = self._state.steps[path], self._steps.get(path), keys[path.count(".") + 1 :]
        if not record.labels:
            return _KINDS.get(step.kind, []) if step is not None else []
        if rest[:1] not in ([], ["output"]):
            return []  # its status, say
        return _part(record.labels, ".".join(rest[1:]))


def result_labels(tool: PinnedTool) -> list[Label]:
    """Return the labels of a tool's results, beside those of its arguments."""
    if tool.name.startswith(MEMORY_TOOLS):
        return ["memory"]
    if tool.kind == "mcp":
        return ["mcp"]
    return ["tool:trusted"] if tool.trust == "trusted" else ["tool:untrusted"]


def _under(root: str, labels: Parts) -> Parts:
    """Labels of a value's parts, as parts of what it lies in."""
    return {f"{root}.{name}" if name else root: each for name, each in labels.items()}


def _part(labels: Parts, dotted: str) -> list[Label]:
    """The labels of a part: of all inside it, or of what it lies in; of everything where neither is named."""
    inside = [each for name, each in labels.items() if not dotted or _inside(name, dotted)]
    if inside:
        return merged(*inside)
    around = [each for name, each in labels.items() if not name or _inside(dotted, name)]
    return merged(*(around or labels.values()))


def _inside(name: str, of: str) -> bool:
    return name == of or name.startswith(of + ".")
