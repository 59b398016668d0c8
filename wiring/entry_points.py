"""Plugins by entry point: tools, channels and workflows are loaded and refused by one piece, each built-in by the same door as a plugin."""

from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar, cast

from domain.errors import StandfastError

T = TypeVar("T")
Made = Callable[[EntryPoint, str, object], Iterable[T]]
"""Given an entry point, what errors call it, and what it names: return the plugins it stands for."""


def installed(group: str, found: Iterable[EntryPoint] | None = None) -> list[EntryPoint]:
    """Return the installed entry points of a group by their names, without loading any; `found` replaces them."""
    return sorted(entry_points(group=group) if found is None else found, key=lambda point: point.name)


def load_plugins(
    points: Iterable[EntryPoint], *, what: str, made: Made[T], error: Callable[[str], StandfastError]
) -> Iterable[tuple[EntryPoint, str, T]]:
    """Load entry points; return each plugin with its entry point and what errors call that.

    Raises:
        StandfastError: the one that `error` makes, of an entry point that cannot be loaded; `made` may raise its own.
    """
    for point in points:
        label = f"the {what} entry point {point.name} = {point.value}"
        try:
            named = cast("object", point.load())
        except (ImportError, AttributeError) as broken:
            raise error(f"{label} cannot be loaded: {broken}") from broken
        for plugin in made(point, label, named):
            yield point, label, plugin
