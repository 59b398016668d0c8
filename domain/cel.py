"""The CEL engine behind one wrapper; the only module that imports cel_expr_python. Pure.

It turns what the engine gets wrong for durable code into errors (JOURNAL §10): evaluation errors are values and truthy, the
iteration budget raises, map iteration has no stable order, time zones by name depend on the machine's tables, and a select
through `has()` loses its meaning when the checker knows the whole dotted name.
"""

import functools
import math
import re
from dataclasses import dataclass
from typing import Final, cast

from cel_expr_python import cel  # pyright: ignore[reportMissingTypeStubs]  # cel.pyi lies in the package, which has no __init__
from pydantic import JsonValue

from domain.cel_text import without_has
from domain.cel_tree import Chain, Node, Tree, guard_ranges, read_chains, read_tree
from domain.errors import ExpressionFailed

ENGINE: Final = "cel-expr-python/0.1.3"
"""The engine and its pinned version; recorded at the start of a run."""

ROOTS: Final = ("input", "config", "steps", "self")
"""The names an expression may read."""

MAX_SOURCE: Final = 4096
"""Longest expression, in characters."""

_MAX_INT: Final = 2**53 - 1  # Integers of canonical JSON (RFC 8785) are exact up to here.
_ZONED: Final = frozenset(
    [
        *(
            "getFullYear",
            "getMonth",
            "getDate",
            "getDayOfMonth",
            "getDayOfWeek",
            "getDayOfYear",
        ),
        *("getHours", "getMinutes", "getSeconds", "getMilliseconds"),
    ]
)
_OFFSET: Final = re.compile(r"UTC|[+-]?\d\d:\d\d")
_SCALARS: Final = {
    "bool": cel.Type.BOOL,
    "int": cel.Type.INT,
    "string": cel.Type.STRING,
    "null": cel.Type.NULL,
    "map": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
}


@dataclass(frozen=True)
class Flaw:
    """One mistake in an expression; line and column count from 1, within the expression."""

    line: int
    column: int
    message: str


class CelRejected(Exception):
    """The expression does not compile; `flaws` says where and why."""

    def __init__(self, flaws: list[Flaw]) -> None:
        super().__init__("; ".join(flaw.message for flaw in flaws))
        self.flaws = flaws


def parse(source: str) -> Tree:
    """Return the checked tree, with every name dynamically typed.

    Raises:
        CelRejected: a syntax error, an unknown name, iteration over a map, or a time zone by name.
    """
    return _compiled(source)[1]


def chains(source: str) -> tuple[Chain, ...]:
    """Return every chain on a root name, in the order of the tree.

    Raises:
        CelRejected: as `parse`.
    """
    return _compiled(source)[2]


def check_types(source: str, types: dict[str, str]) -> tuple[str, list[Flaw]]:
    """Check with known types; returns the result's CEL type in capitals (`BOOL`, `DYN` …) and the flaws.

    Args:
        source: An expression that `parse` accepts.
        types: Dotted names to `bool int string null map`, or `list:` and one of these.
    """
    result, flaws = _checked_types(source, tuple(sorted(types.items())))
    return result, list(flaws)


@functools.lru_cache(maxsize=16384)  # a definition is checked anew at each start of a run
def _checked_types(source: str, types: tuple[tuple[str, str], ...]) -> tuple[str, tuple[Flaw, ...]]:
    env = cel.NewEnv(
        variables={
            **dict.fromkeys(ROOTS, cel.Type.DYN),
            **{name: _type(kind) for name, kind in types},
        }
    )
    try:
        expression = env.compile(without_has(source))
    except RuntimeError as error:
        return "DYN", tuple(_flaws(str(error)))
    tree = read_tree(expression.serialize())
    return expression.return_type().name().upper(), tuple(_house_rules(source, tree))


def run(source: str, context: dict[str, JsonValue]) -> JsonValue:
    """Evaluate and return plain JSON, maps with their keys sorted.

    Raises:
        ExpressionFailed: it does not compile, evaluates to an error, runs over the iteration budget, or gives no JSON.
    """
    try:
        expression, _, reads = _compiled(source)
    except CelRejected as error:
        raise ExpressionFailed(f"`{_short(source)}` is no valid expression: {error}") from error
    for chain in reads:
        _refuse_nul(context, (chain.root, *chain.path), source)
    try:
        value = expression.eval(data=context)
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise ExpressionFailed(f"`{_short(source)}` could not be evaluated: {_clean(str(error))}") from error
    if value.type() == cel.Type.ERROR:
        raise ExpressionFailed(f"`{_short(source)}` failed: {_clean(str(value.value()))}")
    return _plain(value.plain_value(), source)


@functools.lru_cache(maxsize=4096)
def _compiled(source: str) -> tuple[cel.Expression, Tree, tuple[Chain, ...]]:
    if len(source) > MAX_SOURCE:
        raise CelRejected(
            [
                Flaw(
                    1,
                    1,
                    f"the expression has {len(source)} characters; at most {MAX_SOURCE} are allowed",
                )
            ]
        )
    env = _environment()
    try:
        serialized = env.compile(source).serialize()
    except RuntimeError as error:
        raise CelRejected(_flaws(str(error))) from error
    tree = read_tree(serialized)
    flaws = _house_rules(source, tree)
    if flaws:
        raise CelRejected(flaws)
    return env.deserialize(guard_ranges(serialized)), tree, tuple(read_chains(tree, ROOTS))


def _refuse_nul(context: JsonValue, path: tuple[str, ...], source: str) -> None:
    """The engine cuts texts and keys at U+0000, so that two different texts would be equal: what holds one cannot be read."""
    node = context
    for name in path:
        if not isinstance(node, dict):
            break
        _refuse_texts(list(node), source)
        if name not in node:
            return
        node = node[name]
    nodes = [node]
    while nodes:
        node = nodes.pop()
        if isinstance(node, str):
            _refuse_texts([node], source)
        elif isinstance(node, dict):
            _refuse_texts(list(node), source)
            nodes.extend(node.values())
        elif isinstance(node, list):
            nodes.extend(node)


def _refuse_texts(texts: list[str], source: str) -> None:
    if any("\0" in text for text in texts):
        raise ExpressionFailed(f"`{_short(source)}` reads text with the character U+0000, which expressions cannot hold")


@functools.cache
def _environment() -> cel.Env:
    return cel.NewEnv(variables=dict.fromkeys(ROOTS, cel.Type.DYN))


def _type(kind: str) -> cel.Type:
    if kind.startswith("list:"):
        return cel.Type.List(_SCALARS.get(kind.removeprefix("list:"), cel.Type.DYN))
    return _SCALARS.get(kind, cel.Type.DYN)


def _house_rules(source: str, tree: Tree) -> list[Flaw]:
    flaws: list[Flaw] = []
    for node in tree.nodes():
        message = _breach(node, tree)
        if message:
            line, column = position(source, node.offset)
            flaws.append(Flaw(line, column, message))
    return flaws


def _breach(node: Node, tree: Tree) -> str:
    if node.kind == "comprehension":
        shadowed = [name for name in node.variables if name in ROOTS]
        if shadowed:
            return f"`{shadowed[0]}` cannot be the name of an iteration variable: it is a name of the run"
        if tree.types.get(node.operands[0].id) == "map":
            return "a macro cannot iterate over a map, whose order is not stable; iterate over a list of its keys"
    if node.kind == "call" and node.name in _ZONED and len(node.operands) == 2:
        zone = node.operands[1]
        if not (zone.is_string and _OFFSET.fullmatch(zone.name)):
            return "time zones by name are not allowed; write 'UTC' or a fixed offset such as '+02:00'"
    return ""


def position(source: str, offset: int) -> tuple[int, int]:
    """Return line and column, from 1, of a code point's offset."""
    before = source[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


_ERROR_LINE: Final = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")


def _flaws(message: str) -> list[Flaw]:
    found = [Flaw(int(line), max(int(column), 1), _clean(text)) for line, column, text in _ERROR_LINE.findall(message)]
    return found or [Flaw(1, 1, _clean(message))]


def _clean(message: str) -> str:
    first = message.splitlines()[0] if message else "unknown error"
    if "_+_(map, list)" in first:
        return "a macro cannot iterate over a map, whose order is not stable; iterate over a list of its keys"
    if "cannot be the range of a comprehension" in first:
        # The checker cannot tell that an indexed dynamic value may be a list.
        return "a macro iterates over a list; write dyn(…) around a value taken by index"
    text = re.sub(r"^(UNKNOWN|INVALID_ARGUMENT|INTERNAL|NOT_FOUND|OUT_OF_RANGE): ", "", first)
    text = re.sub(r" \(in container ''\)| ?\[[A-Z_]+\]$", "", text)
    if first.startswith("NOT_FOUND"):
        text += "; write has(…) where a field may be missing"
    return text[:300]


def _short(source: str) -> str:
    return source if len(source) <= 120 else source[:117] + "…"


def _plain(value: object, source: str) -> JsonValue:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        if abs(value) > _MAX_INT:
            raise ExpressionFailed(f"`{_short(source)}` gives an integer beyond ±(2⁵³-1)")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ExpressionFailed(f"`{_short(source)}` gives {value}, which JSON cannot hold")
        return value
    if isinstance(value, list):
        return [_plain(item, source) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        entries = cast("dict[object, object]", value)
        if not all(isinstance(key, str) for key in entries):
            raise ExpressionFailed(f"`{_short(source)}` gives a map whose keys are not all strings")
        return {str(key): _plain(entries[key], source) for key in sorted(entries, key=str)}
    raise ExpressionFailed(
        f"`{_short(source)}` gives a {type(value).__name__}, which JSON cannot hold; convert it with string(…), int(…) or double(…)"
    )
