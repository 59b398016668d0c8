"""What to write instead of an expression that the CEL checker refuses. Pure."""

import re
from typing import Final

from domain.cel import ROOTS
from domain.definition_keywords import near

_UNDECLARED: Final = re.compile(r"^undeclared reference to '(?P<name>\w+)")
_OVERLOAD: Final = re.compile(r"^found no matching overload for '(?P<call>[^']+)' applied to '\(?(?P<types>[^)']*)\)?'")
_CONDITION: Final = re.compile(r"^a condition must be true or false, and this is (?P<kind>\w+)")

_COMPARED: Final = {
    "int": "… > 0",
    "uint": "… > 0u",
    "double": "… > 0.0",
    "string": "… == 'text'",
    "list": "size(…) > 0",
    "map": "has(….field)",
}
"""A condition on a value of each type."""

_CONVERTED: Final = {"int": "int(…)", "uint": "uint(…)", "double": "double(…)", "string": "string(…)"}
"""What makes a value of each type."""


def advice(message: str) -> str:
    """Return what to write instead for a message of the CEL checker, `` when it says so itself."""
    if found := _CONDITION.match(message):
        return _COMPARED.get(found["kind"], "a comparison such as … == true")
    if found := _UNDECLARED.match(message):
        return near(found["name"], ROOTS)
    if found := _OVERLOAD.match(message):
        return _conversion([kind.strip() for kind in found["types"].split(",")])
    if message.startswith("Syntax error"):
        return "an expression of CEL, such as input.amount > 100 && input.name != ''"
    return ""


def _conversion(kinds: list[str]) -> str:
    """Return how values of two types become values of one."""
    named = [_CONVERTED[kind] for kind in dict.fromkeys(kinds) if kind in _CONVERTED]
    if len(named) == 2:
        return f"two values of one type: {named[0]} or {named[1]} converts one of them"
    return "values of one type that this operation takes"
