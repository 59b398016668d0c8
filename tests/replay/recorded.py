"""The histories that are kept, by name: each is one branch of the run workflow. Payloads are plain JSON about made-up claims.

`tests/replay/test_recording.py` records what is missing.
"""

from pathlib import Path

from temporalio.client import WorkflowHistory

HISTORIES = Path(__file__).parent / "histories"


def names() -> list[str]:
    """Return the names of all kept histories."""
    return sorted(path.stem for path in HISTORIES.glob("*.json"))


def load(name: str) -> WorkflowHistory:
    """Read one history."""
    return WorkflowHistory.from_json(f"run_{name}", (HISTORIES / f"{name}.json").read_text(encoding="utf-8"))
