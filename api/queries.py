"""Query parameters, each list refusing names it does not know, and the checked ids of paths."""

from typing import Annotated

from fastapi import Depends, Path, Query
from pydantic import Field

from api.views import Seconds
from domain.ids import parse_id
from domain.model import Value
from domain.runs import RunStatus

PAGE_MAX = 200
LEDGER_PAGE_MAX = 1000

Limit = Annotated[int, Field(ge=1, le=PAGE_MAX)]
Cursor = Annotated[str, Field(min_length=1, max_length=500)]


class NoQuery(Value):
    """No parameter at all."""


class RunListQuery(Value):
    """Filters of the list of runs; `status` may be given several times."""

    status: list[RunStatus] = []
    definition: str | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


class TaskListQuery(Value):
    """Filters of the list of tasks; `mine` are the caller's and those of nobody in particular for a reviewer role of theirs."""

    state: Annotated[str, Field(pattern="^(open|completed|closed_late)$")] | None = None
    kind: Annotated[str, Field(pattern="^(human|in_doubt|divergent|failed_compensation)$")] | None = None
    run: Annotated[str, Field(max_length=40)] | None = None
    role: Annotated[str, Field(max_length=100)] | None = None
    assignee: Annotated[str, Field(max_length=40)] | None = None
    mine: bool = False
    overdue: bool = False
    sort: Annotated[str, Field(pattern="^(opened|due)$")] = "opened"
    limit: Limit = 50
    cursor: Cursor | None = None


class ErasureListQuery(Value):
    """A page of the list of erasures."""

    limit: Limit = 50
    cursor: Cursor | None = None


class WaitQuery(Value):
    """`wait` is how long the answer may be held back, in seconds."""

    wait: Seconds = 0


class LedgerQuery(Value):
    """Entries with a sequence greater than `after`."""

    after: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=LEDGER_PAGE_MAX)] = LEDGER_PAGE_MAX


class DefinitionQuery(Value):
    """`version` is a version or an npm range; the highest that fits is shown."""

    version: Annotated[str, Field(min_length=1, max_length=100)] | None = None


def _run_id(run_id: Annotated[str, Path(description="run_ and 26 characters")]) -> str:
    return parse_id(run_id, "run")


def _other_run_id(other_run_id: Annotated[str, Path(description="run_ and 26 characters")]) -> str:
    return parse_id(other_run_id, "run")


def _approval_id(approval_id: Annotated[str, Path(description="apr_ and 26 characters")]) -> str:
    return parse_id(approval_id, "apr")


def _task_id(task_id: Annotated[str, Path(description="tsk_ and 26 characters")]) -> str:
    return parse_id(task_id, "tsk")


def _erasure_id(erasure_id: Annotated[str, Path(description="era_ and 26 characters")]) -> str:
    return parse_id(erasure_id, "era")


def _hold_id(hold_id: Annotated[str, Path(description="hld_ and 26 characters")]) -> str:
    return parse_id(hold_id, "hld")


ErasureIdInPath = Annotated[str, Depends(_erasure_id)]
HoldIdInPath = Annotated[str, Depends(_hold_id)]
ErasureList = Annotated[ErasureListQuery, Query()]
RunIdInPath = Annotated[str, Depends(_run_id)]
OtherRunIdInPath = Annotated[str, Depends(_other_run_id)]
ApprovalIdInPath = Annotated[str, Depends(_approval_id)]
TaskIdInPath = Annotated[str, Depends(_task_id)]
RunList = Annotated[RunListQuery, Query()]
TaskList = Annotated[TaskListQuery, Query()]
Wait = Annotated[WaitQuery, Query()]
LedgerPart = Annotated[LedgerQuery, Query()]
VersionRange = Annotated[DefinitionQuery, Query()]
