"""Hand-written workflows by entry point: each of the group `standfast.workflows` names a workflow class that every worker registers."""

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from domain.errors import InvalidInput

GROUP = "standfast.workflows"


def plugin_workflows(*, found: Iterable[EntryPoint] | None = None) -> list[type]:
    """Return the installed workflow classes, in the order of their names. `found` replaces the installed entry points.

    Raises:
        InvalidInput: an entry point cannot be loaded, or names no workflow.
    """
    points = sorted(entry_points(group=GROUP) if found is None else found, key=lambda point: point.name)
    return [_loaded(point) for point in points]


def _loaded(point: EntryPoint) -> type:
    """Load one entry point.

    Raises:
        InvalidInput: it cannot be loaded, or is no workflow.
    """
    label = f"the workflow entry point {point.name} = {point.value}"
    try:
        loaded = cast("object", point.load())
    except (ImportError, AttributeError) as error:
        raise InvalidInput(f"{label} cannot be loaded: {error}") from error
    if not isinstance(loaded, type) or not hasattr(loaded, "__temporal_workflow_definition"):
        raise InvalidInput(f"{label} is no workflow: it must name a class with @workflow.defn")
    return loaded
