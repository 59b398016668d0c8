"""The one place that imports late, so that `standfast runs` starts in a fraction of a second.

Two kinds of modules are loaded when they are needed and not before: the local commands, since wiring brings the Temporal SDK,
SQL and FastAPI along, and the tables for terminals, since they bring rich.
"""

import importlib
from types import ModuleType


def load(name: str) -> ModuleType:
    """Return a module of this room, imported now."""
    return importlib.import_module(name)
