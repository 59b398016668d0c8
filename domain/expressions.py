"""Expressions and templates: CEL in `${ }`, checked at registration, evaluated in workflow code (JOURNAL §10). Pure.

A context is `{input, config, steps, self}`: `steps` nests by step path, each step with `status` and `output`; `self` is the step
itself inside its own `output.as` and `compensate`. Every failure is `ExpressionFailed`; nothing here reads a clock, a zone table
or an unordered map, so the same context gives the same bytes in every process.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pydantic import JsonValue

from domain import cel
from domain.canonical import canonical_bytes
from domain.cel_text import Hole, UnclosedHole, split
from domain.cel_tree import Chain
from domain.errors import ExpressionFailed

ENGINE: Final = cel.ENGINE
"""The engine and its version, recorded when a run starts."""

ROOTS: Final = cel.ROOTS
"""The names an expression may read."""


REMEMBERED_CHARS: Final = 4096
"""Where the holes of a longer text are is found anew each time: a worker remembers some thousand texts."""


@dataclass(frozen=True)
class Reference:
    """A chain such as `steps.review.output.amount`: `path` holds the names after the root, up to the first dynamic index.

    `position` is the line and column of its beginning within the expression, from 1.
    """

    root: str
    path: tuple[str, ...]
    position: tuple[int, int]


def evaluate(source: str, context: dict[str, JsonValue]) -> JsonValue:
    """Return the value of one expression (without `${ }`) as JSON; maps come with sorted keys.

    Raises:
        ExpressionFailed: it does not compile, fails, runs over the iteration budget, or gives what JSON cannot hold.
    """
    return cel.run(source, context)


def condition(source: str, context: dict[str, JsonValue]) -> bool:
    """Return the value of a condition.

    Raises:
        ExpressionFailed: as `evaluate`, or the value is not exactly true or false.
    """
    value = cel.run(source, context)
    if not isinstance(value, bool):
        raise ExpressionFailed(f"the condition `{source}` gave {_kind(value)} where true or false is needed")
    return value


def render(template: JsonValue, context: dict[str, JsonValue]) -> JsonValue:
    """Return `template` with every `${ }` evaluated; a string that is one whole `${ }` keeps its value's type.

    Inside longer text: strings as they are, null as nothing, all else as canonical JSON.

    Raises:
        ExpressionFailed: an expression failed, or a `${` is not closed.
    """
    if isinstance(template, str):
        return _render_text(template, context)
    if isinstance(template, list):
        return [render(item, context) for item in template]
    if isinstance(template, dict):
        return {key: render(item, context) for key, item in template.items()}
    return template


def holes(text: str) -> list[Hole]:
    """Return the expressions of one string, with the offset of each.

    Raises:
        ExpressionFailed: a `${` is not closed; `where` is its line and column.
    """
    return [part for part in _split(text) if isinstance(part, Hole)]


def whole(text: str) -> str | None:
    """Return the expression if `text` is exactly one `${ }`, else None.

    Raises:
        ExpressionFailed: a `${` is not closed.
    """
    parts = _split(text)
    return parts[0].source if len(parts) == 1 and isinstance(parts[0], Hole) else None


def check_expression(source: str, *, want_bool: bool = False, types: dict[str, str] | None = None) -> list[cel.Flaw]:
    """Return the mistakes of one expression, with line and column within it; an empty list means that it may be registered.

    Args:
        source: The expression, without `${ }`.
        want_bool: Whether it is a condition; a value whose type is only known at run time passes.
        types: Known types by dotted name: `bool int string null map`, or `list:` and one of these. Others are dynamic.
    """
    try:
        cel.parse(source)
    except cel.CelRejected as error:
        return error.flaws
    result, flaws = cel.check_types(source, types or {})
    if flaws:
        return flaws
    if want_bool and result not in ("BOOL", "DYN"):
        return [cel.Flaw(1, 1, f"a condition must be true or false, and this is {result.lower()}")]
    if result.split("<")[0] in ("TIMESTAMP", "DURATION", "BYTES", "TYPE") or "google.protobuf" in result.lower():
        return [
            cel.Flaw(
                1,
                1,
                f"the result is a {result.lower()}, which JSON cannot hold; convert it with string(…) or int(…)",
            )
        ]
    return []


def chains(source: str) -> list[Reference]:
    """Return every chain on a root name in one expression, in the order of the tree.

    Raises:
        ExpressionFailed: the expression does not compile.
    """
    return [Reference(chain.root, chain.path, cel.position(source, chain.offset)) for chain in _chains(source)]


def references(template: JsonValue) -> set[tuple[str, str]]:
    """Return what a template reads, as (root, dotted path): `${ steps.a.output.b > 1 }` gives `("steps", "a.output.b")`.

    A path ends before the first index that is not a constant name, so that it names all that may be read.

    Raises:
        ExpressionFailed: an expression does not compile.
    """
    if isinstance(template, str):
        return {(chain.root, ".".join(chain.path)) for hole in holes(template) for chain in _chains(hole.source)}
    if isinstance(template, list):
        return {found for item in template for found in references(item)}
    if isinstance(template, dict):
        return {found for item in template.values() for found in references(item)}
    return set()


def steps_read(template: JsonValue) -> set[tuple[str, ...]]:
    """Return the paths that a template reads of `steps`; nothing for an expression that cannot be evaluated anyway."""
    if isinstance(template, str):
        return {path for hole in _holes_found(template) for path in steps_read_by(hole.source)}
    if isinstance(template, list | dict):
        inner = template.values() if isinstance(template, dict) else template
        return {path for item in inner for path in steps_read(item)}
    return set()


def steps_read_by(source: str) -> set[tuple[str, ...]]:
    """Return what one bare expression reads, as `steps_read` does."""
    try:
        return {chain.path for chain in cel.chains(source) if chain.root == "steps"}
    except cel.CelRejected:
        return set()


def condition_references(source: str) -> set[tuple[str, str]]:
    """Return what one bare expression reads, as `references` does.

    Raises:
        ExpressionFailed: the expression does not compile.
    """
    return {(chain.root, ".".join(chain.path)) for chain in _chains(source)}


def _chains(source: str) -> tuple[Chain, ...]:
    try:
        return cel.chains(source)
    except cel.CelRejected as error:
        raise ExpressionFailed(f"`{source}` is no valid expression: {error}") from error


def _holes_found(text: str) -> list[Hole]:
    if "${" not in text:
        return []
    try:
        return holes(text)
    except ExpressionFailed:
        return []


def _split(text: str) -> tuple[str | Hole, ...]:
    return _remembered(text) if len(text) <= REMEMBERED_CHARS else _parts(text)


@lru_cache(maxsize=4096)  # a step's templates are read several times by each of its outcomes, and again by every replay
def _remembered(text: str) -> tuple[str | Hole, ...]:
    return _parts(text)


def _parts(text: str) -> tuple[str | Hole, ...]:
    """The literal parts and the holes of a string.

    Raises:
        ExpressionFailed: a `${` is not closed.
    """
    try:
        return tuple(split(text))
    except UnclosedHole as error:
        line, column = cel.position(text, error.offset)
        raise ExpressionFailed(str(error), where=f"{line}:{column}") from error


def _render_text(text: str, context: dict[str, JsonValue]) -> JsonValue:
    if "${" not in text:
        return text
    parts = _split(text)
    if len(parts) == 1 and isinstance(parts[0], Hole):
        return cel.run(parts[0].source, context)
    return "".join(part if isinstance(part, str) else _as_text(cel.run(part.source, context)) for part in parts)


def _as_text(value: JsonValue) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else canonical_bytes(value).decode()


def _kind(value: JsonValue) -> str:
    names = {
        str: "text",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "a map",
        type(None): "null",
    }
    return names.get(type(value), "no value")
