"""The wire messages of `standfast.run.v1`: its input, result, update, signals and query. Types only; the gateway imports them.

Names are wire contracts, pinned by tests/architecture.
"""

from pydantic import Field, JsonValue

from domain.approval import Decision, OpenApproval
from domain.approval_rules import Verdict
from domain.completion import TaskCompletion
from domain.labels import Label
from domain.model import Wire
from domain.program import Program
from domain.runs import RunStatus
from domain.signals import Signal

RUN_WORKFLOW = "standfast.run.v1"
TASK_QUEUE = "standfast"
DECIDE_APPROVAL = "decide_approval"
APPROVE = "approve"
COMPLETE_TASK = "complete_task"
DELIVER_SIGNAL = "deliver_signal"
COMPENSATE = "compensate"
RUN_STATE = "run_state"

PROGRAM_BYTES_MAX = 1_500_000
"""Most bytes of a compiled program, 5,000 plain calls and more: history holds it once per epoch, compressed and encrypted.

Temporal refuses a payload of 2 MiB, and the run's state needs room beside it. Compressed, 5,000 calls and their state have 0.3 MB.
"""


class RunInput(Wire):
    """What a run starts with; no personal data but in `input_fields` (the projected input; the codec encrypts it).

    `input_labels` say where parts of the input come from that are not the user's own (domain/labels.py), by dotted name.
    `state` is the stepper's state on continue-as-new, None at first; `history_max` is the number of events after which it continues
    as new, None for the default.
    """

    v: int = 1
    run: str
    tenant: str
    epoch: int = 1
    principal: str
    correlation_id: str
    program: Program
    input_fields: dict[str, JsonValue] = {}
    input_labels: dict[str, list[Label]] = Field(default={}, exclude_if=lambda labels: not labels)
    state: dict[str, JsonValue] | None = None
    build_id: str = ""
    history_max: int | None = None


class RunResult(Wire):
    """What the workflow returns."""

    status: RunStatus
    output: JsonValue = None
    error: dict[str, str] | None = None


class DecisionResult(Wire):
    """The answer of the update `decide_approval`: the decision counts. `ending` says how the approval ended, None while it goes on."""

    approval: str
    decision: Verdict
    decided_by: str
    decided_at: str
    ending: str | None = None


class RunState(Wire):
    """The answer of the query `run_state`."""

    status: RunStatus
    epoch: int
    waits_for: str | None
    steps: dict[str, str]
    approvals: list[OpenApproval]
    facts: int


__all__ = [
    "APPROVE",
    "COMPENSATE",
    "COMPLETE_TASK",
    "DECIDE_APPROVAL",
    "DELIVER_SIGNAL",
    "PROGRAM_BYTES_MAX",
    "RUN_STATE",
    "RUN_WORKFLOW",
    "TASK_QUEUE",
    "Decision",
    "DecisionResult",
    "RunInput",
    "RunResult",
    "RunState",
    "Signal",
    "TaskCompletion",
]
