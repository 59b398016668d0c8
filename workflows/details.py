"""The live picture of a run for Temporal's Web UI: markdown, names and states only, no personal data. Deterministic."""

from domain.state import State, StepStatus
from workflows.messages import RunInput

MARKS = {StepStatus.ENTERED: "▶", StepStatus.SUCCEEDED: "✔", StepStatus.SKIPPED: "–", StepStatus.FAILED: "✘"}


def run_details(given: RunInput, state: State, waits_for: str | None) -> str:
    """Return the markdown: definition, epoch, what the run waits for, and each step reached with its visit and turn.

    The attempt of a running activity stands beside it in the Web UI (pending activities): only the server knows it.
    """
    lines = [f"**{given.program.name} {given.program.version}** · epoch {state.epoch}", "", f"Waits for: {waits_for or 'nothing'}", ""]
    for path, record in state.steps.items():
        turn = f" · turn {state.agents[path].turn}" if path in state.agents else ""
        failed = f" · {record.failure.code}" if record.failure else ""
        lines.append(f"- {MARKS[record.status]} `{path}` visit {record.visit}{turn}{failed}")
    return "\n".join(lines)
