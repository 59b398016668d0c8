"""The grammar of steps: a plain list of steps becomes typed steps, with every mistake noted. Pure."""

from collections.abc import Callable

from pydantic import JsonValue

from domain.definition_keywords import CALL_KEYS, EXECUTIONS, KEYWORDS, NAME_CHARS_MAX, RESERVED, STEP_KEYS, STEP_NAME
from domain.definition_parts import DocPath
from domain.definition_reader import Node
from domain.definition_sagas import with_forward
from domain.definition_tasks import TaskReader
from domain.program import DoStep, SagaStep, SetStep, Step, SwitchCase, SwitchStep

Block = Callable[[JsonValue, DocPath, str, dict[str, object]], Step | None]
"""Reads what stands under a keyword: the value, its place, the step's path, and what the step says beside it."""

_EXAMPLE_STEP = "- name: {call: tool.name, with: {…}}"


class StepReader(TaskReader):
    """Reads lists of steps into `parsed`."""

    def steps(self, value: JsonValue, path: DocPath, prefix: str, *, in_saga: bool = False, seen: set[str] | None = None) -> list[Step]:
        """Return the steps of a list; `prefix` is the path of the step around it, `seen` the names already taken there."""
        if not isinstance(value, list) or not value:
            self.note(path, "a list of at least one step is needed", _EXAMPLE_STEP)
            return []
        found: list[Step] = []
        taken: set[str] = set() if seen is None else seen
        for index, item in enumerate(value):
            named = self._named(item, (*path, index), taken)
            if named is None:
                continue
            name, body = named
            step = self._step(body, (*path, index, name), f"{prefix}.{name}" if prefix else name, in_saga=in_saga)
            if step is not None:
                found.append(step)
        return found

    def _named(self, item: JsonValue, path: DocPath, seen: set[str]) -> tuple[str, Node] | None:
        if not isinstance(item, dict) or len(item) != 1:
            self.note(path, "a step is a mapping with one key, its name", _EXAMPLE_STEP)
            return None
        name, body = next(iter(item.items()))
        at = (*path, name)
        if not STEP_NAME.fullmatch(name) or len(name) > NAME_CHARS_MAX:
            self.note(at, f"`{name}` is no step name: lower-case letters, digits and _ only, a letter first", on_key=True)
        elif name in RESERVED:
            self.note(at, f"`{name}` cannot be a step name: expressions use the word otherwise", f"{name}_step", on_key=True)
        if name in seen:
            self.note(at, f"two steps here are named `{name}`", f"{name}_2", on_key=True)
            return None
        seen.add(name)
        mapping = self.mapping(body, at, _EXAMPLE_STEP)
        return None if mapping is None else (name, mapping)

    def _step(self, body: Node, path: DocPath, step_path: str, *, in_saga: bool) -> Step | None:
        keyword = self._keyword(body, path)
        if keyword is None:
            return None
        self.parsed.order.append(step_path)
        self.parsed.places[step_path] = path
        beside = (*CALL_KEYS, *STEP_KEYS) if keyword == "call" else STEP_KEYS
        self.keys(body, path, (keyword, *beside), place="step")
        common = self._common(body, path, step_path)
        at = (*path, keyword)
        value = body[keyword]
        blocks: dict[str, Block] = {"agent": self.agent, "approve": self.approve, "listen": self.listen, "task": self.task}
        if keyword in blocks:
            return blocks[keyword](value, at, step_path, common)
        match keyword:
            case "call":
                return self.call(body, path, step_path, common, in_saga=in_saga)
            case "set":
                self.spot(at, step_path, "template", value)
                return SetStep.model_validate({**common, "value": value})
            case "switch":
                return SwitchStep.model_validate({**common, "cases": self._cases(value, at, step_path, in_saga=in_saga)})
            case _:
                return self._list(value, at, step_path, common, in_saga=in_saga)

    def _list(self, value: JsonValue, path: DocPath, step_path: str, common: dict[str, object], *, in_saga: bool) -> DoStep | SagaStep:
        if path[-1] == "do":
            return DoStep.model_validate({**common, "steps": self.steps(value, path, step_path, in_saga=in_saga)})
        listed, where, said = self.saga_form(value, path, common)
        inside = with_forward(self.steps(listed, where, step_path, in_saga=True))
        return SagaStep.model_validate({**common, **said, "steps": inside})

    def _keyword(self, body: Node, path: DocPath) -> str | None:
        found = [key for key in body if key in KEYWORDS]
        if len(found) == 1:
            return found[0]
        if len(found) > 1:
            self.note(path, f"a step has exactly one keyword, and this one has {' and '.join(f'`{key}`' for key in found)}", on_key=True)
            return None
        before = len(self.mistakes)
        self.keys(body, path, (*STEP_KEYS, *CALL_KEYS, *KEYWORDS), place="step")
        if len(self.mistakes) == before:
            self.note(path, "this step has no keyword", f"one of {', '.join(KEYWORDS)}", on_key=True)
        return None

    def _common(self, body: Node, path: DocPath, step_path: str) -> dict[str, object]:
        common: dict[str, object] = {"path": step_path, "timeout_s": self.duration(body, "timeout", path)}
        if "if" in body:
            common["when"] = self.condition(body["if"], (*path, "if"), step_path)
        if "retry" in body:
            common["retry"] = self.retry(body["retry"], (*path, "retry"))
        if "execution" in body:
            common["execution"] = self.choice(body, "execution", path, EXECUTIONS)
        if "budget" in body:
            common["budget"] = self.budget(body["budget"], (*path, "budget"))
        if "summary" in body:
            common["summary"] = self.text(body, "summary", path)
            self.spot((*path, "summary"), step_path, "template", common["summary"])
        if "output" in body:
            output = self.mapping(body["output"], (*path, "output"), "output: {as: …}")
            if output is not None:
                self.keys(output, (*path, "output"), ("as",), place="output")
                common["output_as"] = output.get("as")
                self.spot((*path, "output", "as"), step_path, "output_as", output.get("as"))
        return common

    def _cases(self, value: JsonValue, path: DocPath, step_path: str, *, in_saga: bool) -> list[SwitchCase]:
        if not isinstance(value, list) or not value:
            self.note(path, "`switch` is a list of cases", '- large: {when: "${ … }", do: [ … ]}')
            return []
        cases: list[SwitchCase] = []
        seen: set[str] = set()
        # Cases add nothing to the path of their steps, so that step names are unique over all cases.
        inside: set[str] = set()
        for index, item in enumerate(value):
            named = self._named(item, (*path, index), seen)
            if named is None:
                continue
            name, body = named
            at = (*path, index, name)
            self.keys(body, at, ("when", "do"), place="case")
            if "when" not in body and index != len(value) - 1:
                self.note(at, "a case without `when` takes every run, so that it must be the last", on_key=True)
            when = self.condition(body["when"], (*at, "when"), step_path) if "when" in body else None
            steps = self.steps(body.get("do"), (*at, "do") if "do" in body else at, step_path, in_saga=in_saga, seen=inside)
            cases.append(SwitchCase(name=name, when=when, steps=steps))
            self.parsed.cases.update({f"{step_path}.{taken}": name for taken in inside if f"{step_path}.{taken}" not in self.parsed.cases})
        return cases
