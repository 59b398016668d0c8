"""Compensations of a golden trace: the calls that undid steps, compared with what today's definition would undo, and how.

Only what the platform undid by itself is played: where a person settled one, nothing recorded says what they did.
"""

from domain.effects import request_digest
from domain.golden import RecordedOutput, Trace
from domain.program import Program
from domain.state import RenderedUndo, UndoEnd, Unwind

Place = tuple[str, int, str]
"""Step, visit and call."""
CALL = "compensate"
"""How a compensation's first try is named; later ones have their number behind it."""


class Undoing:
    """The compensations of one trace."""

    def __init__(self, program: Program, trace: Trace) -> None:
        self._program = program
        self._tries: dict[tuple[str, int], dict[Place, RecordedOutput]] = {}
        self._order: dict[Place, int] = {}
        for number, one in enumerate(trace.outputs):
            if one.call.partition(".")[0] == CALL:
                place = (one.step, one.visit, one.call)
                self._tries.setdefault((one.step, one.visit), {})[place] = one
                self._order[place] = number

    def tries(self, entry: RenderedUndo) -> list[Place]:
        """Return the recorded tries to undo a step, in order."""
        return list(self._tries.get((entry.step, entry.visit), {}))

    def undone(self, command: Unwind, differences: list[str]) -> dict[str, UndoEnd] | None:
        """Return how undoing ended, None where the recording does not say it; what is other than recorded is added to `differences`."""
        known = [self._last(entry) for entry in command.undo]
        if any(one is None for one in known):
            return None
        ended: dict[str, UndoEnd] = {}
        last: dict[str, int] = {}
        for entry, one in zip(command.undo, filter(None, known), strict=True):
            self._compare(entry, one, differences)
            number = self._order[one.step, one.visit, one.call]
            if number < last.get(entry.lane, -1):
                differences.append(f"{entry.step}: is undone in another order than was recorded")
            last[entry.lane] = number
            ended[entry.step] = "undone"
        return ended

    def _last(self, entry: RenderedUndo) -> RecordedOutput | None:
        """The try that undid a step, if one did."""
        places = self.tries(entry)
        one = self._tries[entry.step, entry.visit][places[-1]] if places and entry.problem is None else None
        return one if one is not None and one.error is None else None

    def _compare(self, entry: RenderedUndo, one: RecordedOutput, differences: list[str]) -> None:
        tool = self._program.tools[entry.tool]
        subject = f"{tool.name}@{tool.version}"
        if one.subject != subject:
            differences.append(f"{entry.step}: is undone by {subject}, and {one.subject} was recorded")
        elif one.request is not None and one.request != request_digest(tool=tool.name, version=tool.version, arguments=entry.arguments):
            differences.append(f"{entry.step}: is undone by {subject} with other arguments than were recorded")
