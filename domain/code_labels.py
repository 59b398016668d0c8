"""Labels of what a hand-written workflow passes on. Pure.

Nobody sees how its code makes one value of another: whatever it passes on may hold anything that its run has read until then. Only an exact
copy of a value that the workflow had before it read anything stays what it was.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from pydantic import JsonValue, TypeAdapter

from domain.label_flow import result_labels
from domain.labels import Label, TrustedValues, leaves, merged, untrusted, values_at
from domain.policy_input import CallInput
from domain.program import PinnedTool, Program
from domain.state import State

_ANYTHING = TypeAdapter[object](object)


class CodeLabels:
    """What is known of the values of one run of a hand-written workflow."""

    def __init__(self, program: Program, state: State, called: set[str], *, began: Iterable[Label], given: Sequence[object]) -> None:
        """Begin.

        Args:
            program: The run's name and its tools.
            state: Its agents' conversations.
            called: The tools that have answered, and what else was read, such as children: the run adds to it.
            began: Where its arguments come from, beside its principal.
            given: What it had from the start; nothing of it counts where somebody else may have written the arguments.
        """
        self._program = program
        self._state = state
        self._called = called
        self._began = merged(["user"], began)
        self._known = _known(given, self._began)

    def seen(self) -> list[Label]:
        """Return where all that the run has read until now comes from."""
        strange: list[Label] = ["tool:untrusted"]  # what a child returns, or the workflow reads by itself, may come from anywhere
        tools = self._program.tools
        calls = [result_labels(tools[one]) if one in tools else strange for one in self._called]
        return merged(self._began, *(agent.taint for agent in self._state.agents.values()), *calls)

    def of_call(self, tool: PinnedTool, arguments: Mapping[str, JsonValue]) -> CallInput:
        """Return what policy needs to know of a call that the code makes now."""
        return self._input(tool, arguments, behind=self.seen(), known=[self._known])

    def of_undo(
        self, tool: PinnedTool, arguments: Mapping[str, JsonValue], *, asked: CallInput, called_with: Mapping[str, JsonValue], fixed: bool
    ) -> CallInput:
        """Return what policy needs to know of the compensation of a call that was `asked` with these arguments.

        Arguments that were `fixed` before that call hold nothing that was read later; others may hold all that was read until now.
        """
        had = _known([called_with], asked.taint)
        behind = asked.taint if fixed else self.seen()
        return self._input(tool, arguments, behind=behind, known=[self._known, had]).model_copy(update={"origin": "undo"})

    def _input(
        self, tool: PinnedTool, arguments: Mapping[str, JsonValue], *, behind: list[Label], known: Sequence[TrustedValues]
    ) -> CallInput:
        given = [name for name in tool.guarded if values_at(arguments, name)]
        copied = {name for name in given if any(values.holds_all(arguments, name) for values in known)} if untrusted(behind) else set[str]()
        labels = {name: list[Label](["user"]) if name in copied else behind for name in given}
        return CallInput(definition=self._program.name, kind=tool.kind, sensitive=given, labels=labels, taint=behind)


def _known(values: Iterable[object], behind: Iterable[Label]) -> TrustedValues:
    """What copies are recognised of: values as the JSON that they travel as, unless something untrusted may be in them."""
    known = TrustedValues()
    for value in values if not untrusted(behind) else ():
        try:
            parts = list(leaves(cast("JsonValue", _ANYTHING.dump_python(value, mode="json"))))
        except ValueError:  # pydantic's own kind of it: bytes that are no text, objects that it does not know
            continue
        for name, part in parts:
            known.add_part(name, part)
    return known
