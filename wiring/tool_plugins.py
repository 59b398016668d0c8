"""Tools by entry point: one of the group `standfast.tools` names a tool, a list of tools, or a factory that takes a `ToolContext`."""

from collections.abc import Iterable
from functools import partial
from importlib.metadata import EntryPoint
from typing import cast

from adapters.tools.registry import GROUP, ToolContext, ToolFactory
from domain.errors import InvalidDefinition
from domain.tools import Tool, ToolSpec
from wiring.entry_points import installed, load_plugins


def load_entry_points(context: ToolContext, *, found: Iterable[EntryPoint] | None = None) -> list[Tool]:
    """Return the tools of every installed entry point, in the order of their names. `found` replaces the installed ones.

    Raises:
        InvalidDefinition: an entry point cannot be loaded, is no factory, or gives something that is no tool.
    """
    loaded = load_plugins(installed(GROUP, found), what="tool", made=partial(_made, context), error=InvalidDefinition)
    tools: list[Tool] = []
    for _, label, tool in loaded:
        if not _is_tool(tool):
            raise InvalidDefinition(f"{label} returned {type(tool).__name__}, which is no tool: a tool has `spec` and `call`")
        tools.append(tool)
    return tools


def _made(context: ToolContext, _point: EntryPoint, label: str, named: object) -> Iterable[Tool]:
    """Return the tools that an entry point stands for: itself, those in it, or those it makes.

    Raises:
        InvalidDefinition: it is none of these.
    """
    if _is_tool(named):
        return [cast("Tool", named)]
    if isinstance(named, list | tuple):
        return cast("list[Tool]", named)
    if not callable(named):
        raise InvalidDefinition(f"{label} is no factory: it must take a ToolContext and return tools")
    build: ToolFactory = cast("ToolFactory", named)
    return build(context)


def _is_tool(named: object) -> bool:
    return isinstance(getattr(named, "spec", None), ToolSpec) and callable(getattr(named, "call", None))
