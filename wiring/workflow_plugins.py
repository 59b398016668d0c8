"""Hand-written workflows by entry point: each of the group `standfast.workflows` names a workflow class that every worker registers."""

from collections.abc import Iterable
from importlib.metadata import EntryPoint

from domain.errors import InvalidInput
from wiring.entry_points import installed, load_plugins

GROUP = "standfast.workflows"


def plugin_workflows(*, found: Iterable[EntryPoint] | None = None) -> list[type]:
    """Return the installed workflow classes, in the order of their names. `found` replaces the installed entry points.

    Raises:
        InvalidInput: an entry point cannot be loaded, or names no workflow.
    """
    loaded = load_plugins(installed(GROUP, found), what="workflow", made=_made, error=InvalidInput)
    return [workflow for _, _, workflow in loaded]


def _made(_point: EntryPoint, label: str, named: object) -> list[type]:
    """Return the workflow class that an entry point names.

    Raises:
        InvalidInput: it is no workflow.
    """
    if not isinstance(named, type) or not hasattr(named, "__temporal_workflow_definition"):
        raise InvalidInput(f"{label} is no workflow: it must name a class with @workflow.defn")
    return [named]
