"""Which budgets of a program an effect counts against. Pure."""

from domain.budget import BudgetRule, Cap
from domain.program import Program
from domain.stepper import walk


class ProgramCaps:
    """The budgets of one program, by step."""

    def __init__(self, program: Program) -> None:
        rules: dict[str, BudgetRule | None] = {"": program.budget, **{step.path: step.budget for step in walk(program.steps)}}
        self._caps = {path: Cap(step=path, **rule.model_dump()) for path, rule in rules.items() if rule is not None}

    def add(self, path: str, rule: BudgetRule | None) -> None:
        """Bound a step that the program does not have; None is no limit."""
        if rule is not None:
            self._caps[path] = Cap(step=path, **rule.model_dump())

    def of(self, *paths: str) -> tuple[Cap, ...]:
        """Return those that effects of the steps at `paths` count against: the run's, their own, and those of the steps around them."""
        around = dict.fromkeys(name for path in paths for name in _around(path))
        return tuple(self._caps[name] for name in around if name in self._caps)


def _around(path: str) -> list[str]:
    names = path.split(".")
    return ["", *(".".join(names[:length]) for length in range(1, len(names) + 1))]
