"""What people see of sagas. Pure: nothing is written here."""

from standfast_client import RunSagas, SagaStep

COLUMNS = ("saga", "state", "step", "step state", "undone by")


def rows(found: RunSagas) -> list[tuple[str, ...]]:
    """Return a row for each saga, and one below it for each of its own steps."""
    listed: list[tuple[str, ...]] = []
    for saga in found.sagas:
        listed.append((f"{saga.saga} ({saga.mode})", saga.state, "", "", ""))
        listed += [("", "", _named(step), step.state, step.undo_tool or "") for step in saga.steps]
    return listed


def _named(step: SagaStep) -> str:
    return f"{step.step} (pivot)" if step.pivot else step.step
