"""Tables for a terminal. Loaded only when one is shown: rich takes a tenth of a second to import."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

STATUS_STYLES = {
    "succeeded": "green",
    "approved": "green",
    "done": "green",
    "ok": "green",
    "failed": "red",
    "rejected": "red",
    "missing": "red",
    "timed_out": "red",
    "dead": "red",
    "in_doubt": "red",
    "waiting": "yellow",
    "open": "yellow",
    "compensating": "yellow",
    "cancelled": "yellow",
}


def paint(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table to standard output; cells that are a known status have its colour."""
    table = Table(*columns, header_style="bold")
    for row in rows:
        table.add_row(*(Text(cell, style=STATUS_STYLES.get(cell, "")) for cell in row))
    Console().print(table)
