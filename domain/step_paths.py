"""Step paths of a program: their order, and what lies inside what. Pure."""

from domain.program import Program
from domain.stepper import walk


def paths_of(program: Program) -> list[str]:
    """Return the paths of all steps in the order they run, containers before what is inside them."""
    return [step.path for step in walk(program.steps)]


def inside(path: str, container: str) -> bool:
    """Whether a step lies inside another one."""
    return path.startswith(container + ".")
