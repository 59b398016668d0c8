"""The live picture of a run for Temporal's Web UI: markdown, names and states only, no personal data. Deterministic."""

from collections.abc import Sequence
from itertools import islice

from domain.saga_views import SagaView
from domain.state import State, StepStatus
from workflows.messages import RunInput

MARKS = {StepStatus.ENTERED: "▶", StepStatus.SUCCEEDED: "✔", StepStatus.SKIPPED: "–", StepStatus.FAILED: "✘"}

STEPS_SHOWN = 100
"""The latest steps that are listed: a run of thousands is told anew at each step. The ledger has them all."""


SAGAS_SHOWN = 20
"""The sagas that are listed."""


def run_details(
    given: RunInput, state: State, waits_for: str | None, *, walking: Sequence[str] = (), sagas: Sequence[SagaView] = ()
) -> str:
    """Return the markdown: definition, epoch, what the run waits for, the latest steps reached with their visit and turn, and its sagas.

    `walking` are the steps that the running activity walks: how far it is stands in its heartbeat, and here when it comes back.
    The attempt of a running activity stands beside it in the Web UI (pending activities): only the server knows it.
    """
    lines = [f"**{given.program.name} {given.program.version}** · epoch {state.epoch}", "", f"Waits for: {waits_for or 'nothing'}", ""]
    if len(state.steps) > STEPS_SHOWN:
        lines.append(f"- … {len(state.steps) - STEPS_SHOWN} steps before these")
    for path, record in reversed(list(islice(reversed(state.steps.items()), STEPS_SHOWN))):
        turn = f" · turn {state.agents[path].turn}" if path in state.agents else ""
        failed = f" · {record.failure.code}" if record.failure else ""
        lines.append(f"- {MARKS[record.status]} `{path}` visit {record.visit}{turn}{failed}")
    lines += [f"- ▷ `{path}` in this activity" for path in walking if path not in state.steps]
    lines += [line for saga in sagas[:SAGAS_SHOWN] if saga.state != "planned" for line in _saga_lines(saga)]
    return "\n".join(lines)


def _saga_lines(saga: SagaView) -> list[str]:
    steps = ", ".join(f"`{step.step}` {step.state.replace('_', ' ')}" for step in saga.steps[:STEPS_SHOWN])
    return ["", f"Saga `{saga.saga}` ({saga.mode}): **{saga.state}**", f"- {steps}"]
