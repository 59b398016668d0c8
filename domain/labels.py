"""Where a value comes from, while a run goes on: sources, and what is derived from them. Pure.

A value is labelled with every source that could have shaped it. What a model says is labelled with all that its conversation holds, since
any of it may have steered the model; only a value that is an exact copy of a trusted one keeps that one's labels alone. Labels are never
taken away by a copy, a template, a summary, a stored memory or a child run.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, get_args

from pydantic import JsonValue

Label = Literal["user", "definition", "model", "tool:trusted", "tool:untrusted", "memory", "mcp", "signal"]
"""A source: who started the run or answered in it, the definition's author, a model, a tool by its declared trust, and so on."""

LABELS: tuple[Label, ...] = get_args(Label)

UNTRUSTED: frozenset[Label] = frozenset({"tool:untrusted", "memory", "mcp", "signal"})
"""Sources whose text may have been written by anybody: it must not choose a recipient, URL, amount, command or query by itself."""

COPIED_TEXT_MIN = 6
"""Shortest text that counts as a copy of a trusted one wherever it stands; shorter text and numbers must stand under the same name."""
COPIED_PART_CHARS_MAX = 300
"""Longest trusted value that copies are looked for of: addresses, accounts, amounts and the like are shorter."""
COPIED_PARTS_MAX = 100
"""Most trusted values that travel with a model call."""


def merged(*sets: Iterable[Label]) -> list[Label]:
    """Return the union of label sets, in the order of `LABELS`: the labels of a value made from all of them."""
    found = {label for labels in sets for label in labels}
    return [label for label in LABELS if label in found]


def untrusted(labels: Iterable[Label]) -> bool:
    """Whether a value with these labels may have been shaped by an untrusted source."""
    return not UNTRUSTED.isdisjoint(labels)


def leaves(value: JsonValue, name: str = "") -> Iterator[tuple[str, JsonValue]]:
    """Yield the parts of a value that hold no others, with their dotted names; list items are named by their place."""
    if isinstance(value, dict) and value:
        for key, part in value.items():
            yield from leaves(part, f"{name}.{key}" if name else key)
    elif isinstance(value, list) and value:
        for place, part in enumerate(value):
            yield from leaves(part, f"{name}.{place}" if name else str(place))
    else:
        yield name, value


def values_at(arguments: Mapping[str, JsonValue], name: str) -> list[JsonValue]:
    """Return the values that a dotted argument name stands for; through lists it stands for each item's."""
    return list(_values(dict(arguments), name.split(".")))


def _values(value: JsonValue, keys: list[str]) -> Iterator[JsonValue]:
    if isinstance(value, list) and keys:
        for item in value:
            yield from _values(item, keys)
    elif not keys:
        yield value
    elif isinstance(value, dict) and keys[0] in value:
        yield from _values(value[keys[0]], keys[1:])


def input_labels(principal: str, kept: Iterable[Label]) -> dict[str, list[Label]]:
    """Return the labels of a run's input: what its row keeps, and of a hook's request, which anybody may have written, `signal`."""
    found = merged(kept, ["signal"] if principal.startswith("hok_") else [])
    return {"": found} if found else {}


class TrustedValues:
    """Values that a trusted source gave, to recognise exact copies of them in what a model says."""

    def __init__(self) -> None:
        self._texts: set[str] = set()
        self._named: set[tuple[str, str]] = set()

    def add(self, value: JsonValue) -> None:
        """Take the parts of a value, each under its own name."""
        for name, part in leaves(value):
            self.add_part(name, part)

    def add_part(self, name: str, part: JsonValue) -> None:
        """Take one part under its dotted name."""
        self._named.add((_last(name), _exact(part)))
        if isinstance(part, str) and len(part) >= COPIED_TEXT_MIN:
            self._texts.add(part)

    def holds(self, name: str, value: JsonValue) -> bool:
        """Whether the value at this dotted name, or each part of it, is an exact copy of a trusted value."""
        return all(self._copied(_last(inner), part) for inner, part in leaves(value, name))

    def holds_all(self, arguments: Mapping[str, JsonValue], name: str) -> bool:
        """Whether every value that a dotted argument name stands for is an exact copy of a trusted one."""
        return all(self.holds(name, value) for value in values_at(arguments, name))

    def _copied(self, name: str, part: JsonValue) -> bool:
        return (isinstance(part, str) and part in self._texts) or (name, _exact(part)) in self._named


def _last(name: str) -> str:
    """The last key of a dotted name that is no list place."""
    return next((key for key in reversed(name.split(".")) if not key.isdigit()), "")


def _exact(part: JsonValue) -> str:
    """A text that equal values share and others do not: `True` is not 1, and 1.0 is not 1."""
    return f"{type(part).__name__}:{part!r}"
