"""The last lines of a log, for the message that says why its process did not get ready."""

from collections import deque
from pathlib import Path

_TAIL_LINES = 15


def log_tail(log: Path) -> str:
    """Return the last lines of a log, indented."""
    try:
        with log.open(encoding="utf-8", errors="replace") as file:
            return "".join(f"    {line.rstrip()}\n" for line in deque(file, maxlen=_TAIL_LINES))
    except OSError:
        return "    (no log)\n"


def end_of_log(log: Path | None) -> str:
    """Return the rest of such a sentence: the end of the log where its place is known."""
    return "its log says why" if log is None else f"the end of {log}:\n{log_tail(log)}"
