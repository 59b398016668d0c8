"""The grammar of `saga:` beside its plain list: a mapping of steps, mode, timeout and what happens on a failure. Pure."""

from pydantic import JsonValue

from domain.definition_blocks import BlockReader
from domain.definition_keywords import PARALLEL_KEYS, SAGA_KEYS
from domain.definition_parts import DocPath
from domain.program import CallStep, DoStep, Step, SwitchStep


class SagaReader(BlockReader):
    """Reads what stands under `saga:`."""

    def saga_form(self, value: JsonValue, path: DocPath, common: dict[str, object]) -> tuple[JsonValue, DocPath, dict[str, object]]:
        """Return the list of steps, where it stands, and what the mapping around it says; a plain list says nothing."""
        if not isinstance(value, dict):
            return value, path, {}
        self.keys(value, path, SAGA_KEYS, place="saga")
        timeout_s = self.duration(value, "timeout", path)
        if timeout_s is not None and common["timeout_s"] is not None:
            self.note((*path, "timeout"), "this step says `timeout` twice; keep the one inside `saga`", on_key=True)
        mode = self.choice(value, "mode", path, ("sequential", "parallel"))
        for key in PARALLEL_KEYS:
            if key in value and mode != "parallel":
                self.note(
                    (*path, key), f"`{key}` is about steps that run at once; this saga runs them in sequence", "mode: parallel", on_key=True
                )
        said: dict[str, object] = {
            "timeout_s": timeout_s or common["timeout_s"],
            "mode": mode,
            "on_failure": self.choice(value, "on_failure", path, ("await", "cancel")),
            "undo": self.choice(value, "undo", path, ("reverse", "parallel")),
        }
        return value.get("steps"), (*path, "steps") if "steps" in value else path, said


def with_forward(steps: list[Step]) -> list[Step]:
    """Return a saga's steps, those after its pivot marked as such, with all inside them."""
    pivots = [place for place, step in enumerate(steps) if isinstance(step, CallStep) and step.pivot]
    if not pivots:
        return steps
    return [*steps[: pivots[0] + 1], *(_forward(step) for step in steps[pivots[0] + 1 :])]


def _forward(step: Step) -> Step:
    update: dict[str, object] = {"forward": True}
    if isinstance(step, DoStep):
        update["steps"] = [_forward(inner) for inner in step.steps]
    elif isinstance(step, SwitchStep):
        update["cases"] = [case.model_copy(update={"steps": [_forward(inner) for inner in case.steps]}) for case in step.cases]
    return step.model_copy(update=update)
