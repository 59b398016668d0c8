"""The grammar of human tasks: a `task:` step, and `doubts:`, the terms of questions about effects. Pure."""

from typing import cast

from pydantic import JsonValue

from domain.definition_keywords import ASSIGN_KEYS, DOUBTS_KEYS, TASK_KEYS
from domain.definition_parts import DocPath
from domain.definition_reader import Node
from domain.definition_sagas import SagaReader
from domain.program import TaskStep
from domain.tasks import Priority, TaskRung, TaskTerms

_RUNGS_MAX = 20
_PRIORITIES = ("normal", "low", "high", "urgent")
_EXAMPLE = "escalate: [{after: 12h, to: {role: claims-lead}}]"


class TaskReader(SagaReader):
    """Reads what a definition says about work for people."""

    def task(self, value: JsonValue, path: DocPath, step_path: str, common: dict[str, object]) -> TaskStep | None:
        """Return a `task:` step, or None if it is no mapping."""
        node = self.mapping(value, path, "task: {title: …, assign: {role: …}, form: {schema: …}, due: 24h}")
        if node is None:
            return None
        self.keys(node, path, TASK_KEYS, place="task")
        title = self.text(node, "title", path, example='title: "Call ${ … }"')
        self.spot((*path, "title"), step_path, "template", title)
        instructions = self.text(node, "instructions", path) if "instructions" in node else ""
        if instructions:
            self.spot((*path, "instructions"), step_path, "template", instructions)
        terms, timeout_s = self.terms(node, path), self._timeout(node, path, common)
        if timeout_s is not None:
            late = [index for index, rung in enumerate(terms.ladder) if rung.after_s >= timeout_s]
            for index in late:
                self.note((*path, "escalate", index, "after"), "this rung would be reached when the time is over", "a shorter one")
        return TaskStep.model_validate(
            {
                **common,
                "timeout_s": timeout_s,
                "title": title,
                "instructions": instructions,
                "form": self._form(node.get("form"), (*path, "form")) if "form" in node else None,
                "terms": terms,
                "on_timeout": self.choice(node, "on_timeout", path, ("fail", "skip")),
            }
        )

    def _timeout(self, node: Node, path: DocPath, common: dict[str, object]) -> float | None:
        """Return when `on_timeout` takes its turn: at `timeout`, or at `due` where that stands alone with `on_timeout`."""
        own, around = self.duration(node, "timeout", path), cast("float | None", common["timeout_s"])
        if own is not None and around is not None:
            self.note((*path, "timeout"), "this step says `timeout` twice; keep the one inside `task`", on_key=True)
        timeout_s = own or around
        if timeout_s is None and "on_timeout" in node:
            timeout_s = self.duration(node, "due", path)
            if "due" not in node:
                self.note((*path, "on_timeout"), "`on_timeout` needs a `timeout`, or a `due` that it may end the task at", "timeout: 48h")
        return timeout_s

    def doubts(self, value: JsonValue, path: DocPath) -> TaskTerms | None:
        """Return the terms of questions about effects."""
        node = self.mapping(value, path, "doubts: {assign: {role: payments}, due: 4h, escalate: […]}")
        if node is None:
            return None
        self.keys(node, path, DOUBTS_KEYS, place="doubts")
        return self.terms(node, path)

    def terms(self, node: Node, path: DocPath) -> TaskTerms:
        """Return who is to answer, and by when."""
        role, principal = self._assign(node["assign"], (*path, "assign")) if "assign" in node else (None, None)
        priority = self.choice(node, "priority", path, _PRIORITIES)
        return TaskTerms(
            role=role,
            principal=principal,
            priority=cast("Priority", priority),
            due_s=self.duration(node, "due", path),
            ladder=self._rungs(node.get("escalate", []), (*path, "escalate")),
        )

    def _assign(self, value: JsonValue, path: DocPath) -> tuple[str | None, str | None]:
        node = self.mapping(value, path, "assign: {role: claims-desk}")
        if node is None:
            return None, None
        self.keys(node, path, ASSIGN_KEYS, place="assign")
        if len(node) != 1:
            self.note(path, "a task is assigned to a `role` or to a `principal`, and not to both", "assign: {role: claims-desk}")
            return None, None
        key = next(iter(node))
        name = self.text(node, key, path) or None
        return (name, None) if key == "role" else (None, name)

    def _rungs(self, value: JsonValue, path: DocPath) -> list[TaskRung]:
        if not isinstance(value, list) or len(value) > _RUNGS_MAX:
            self.note(path, f"`escalate` is a list of at most {_RUNGS_MAX} rungs", _EXAMPLE)
            return []
        rungs: list[TaskRung] = []
        for index, item in enumerate(value):
            at = (*path, index)
            node = self.mapping(item, at, "{after: 12h, to: {role: claims-lead}}")
            if node is None:
                continue
            self.keys(node, at, ("after", "to"), place="escalate")
            after = self.duration(node, "after", at)
            to = self.mapping(node.get("to"), (*at, "to") if "to" in node else at, "to: {role: claims-lead}")
            if "after" not in node:
                self.note(at, "`after` is missing", "after: 12h")
            if to is not None and after is not None:
                self.keys(to, (*at, "to"), ("role",), place="escalate")
                rungs.append(TaskRung(after_s=after, role=self.text(to, "role", (*at, "to"), example="role: claims-lead")))
        return rungs
