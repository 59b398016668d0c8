"""JSON shapes of redrives and forks."""

from typing import Annotated

from pydantic import StringConstraints

from domain.lineage import ForkEffects
from domain.model import Value
from domain.runs import RunStatus
from domain.step_changes import StepChanges


class RedriveBody(Value):
    """Why a run is redriven; the run shows it, and its ledger keeps it sealed."""

    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class Redriven(Value):
    """The answer to a redrive: the run goes on at `step` in this epoch; `kept` steps keep what they did."""

    run: str
    status: RunStatus
    epoch: int
    step: str
    kept: int


class ForkBody(Value):
    """A fork at step `at`, which runs anew with these changes. What changes the world is simulated unless `allow_effects` is true."""

    at: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$", max_length=500)]
    changes: StepChanges = StepChanges()
    allow_effects: bool = False


class Forked(Value):
    """The answer to a fork: the new run, and how many steps of its parent it keeps."""

    run: str
    parent: str
    at: str
    effects: ForkEffects
    kept: int
    status: RunStatus
