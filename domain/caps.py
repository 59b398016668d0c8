"""Which budgets of a program an effect counts against. Pure."""

from domain.budget import BudgetRule, Cap
from domain.program import Program
from domain.stepper import walk


class ProgramCaps:
    """The budgets of one program, by step."""

    def __init__(self, program: Program) -> None:
        rules: list[tuple[str, BudgetRule | None]] = [("", program.budget), *((step.path, step.budget) for step in walk(program.steps))]
        self._caps = tuple(Cap(step=path, **rule.model_dump()) for path, rule in rules if rule is not None)

    @property
    def all(self) -> tuple[Cap, ...]:
        """Every budget of the program."""
        return self._caps

    def of(self, path: str) -> tuple[Cap, ...]:
        """Return those an effect of the step at `path` counts against: the run's, its own, and those of the steps around it."""
        return tuple(cap for cap in self._caps if cap.covers(path))
