"""YAML and JSON text as plain data with the position of every key and value; the only module that imports ruamel.yaml.

It reads the node graph, not constructed objects: so dates stay text, duplicate keys and tags are refused where they stand, and
aliases cannot blow up (their expansions are counted).
"""

import json
import math
from dataclasses import dataclass, field
from typing import Final, Protocol, cast

from pydantic import JsonValue
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from domain.definition_parts import DocPath
from domain.errors import InvalidDefinition
from domain.registry import Problem

DEPTH_MAX: Final = 64
"""Deepest nesting of a document."""
NODES_MAX: Final = 50_000
"""Most values of a document, aliases expanded."""
_INT_MAX: Final = 2**53 - 1  # RFC 8785 keeps integers exact up to here.
_TAG: Final = "tag:yaml.org,2002:"


class _Place(Protocol):
    """What this module reads of ruamel's untyped marks; counted from 0."""

    line: int
    column: int
    index: int


class _Node(Protocol):
    """What this module reads of ruamel's untyped nodes; `id` is `scalar`, `sequence` or `mapping`."""

    id: str
    tag: object
    value: object
    start_mark: _Place
    end_mark: _Place


class _Marked(Protocol):
    """What this module reads of ruamel's untyped errors."""

    problem: str | None
    context: str | None
    problem_mark: _Place | None
    context_mark: _Place | None


class _Unprintable(Protocol):
    """What this module reads of ruamel's untyped reader errors."""

    position: int


class Unreadable(Exception):
    """The text is no document; `problems` says where and why."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(str(problems[0]))
        self.problems = problems


@dataclass(frozen=True)
class Mark:
    """Where a value begins, and its key if it has one; line and column from 1. `start` and `end` count code points from 0."""

    line: int
    column: int
    start: int
    end: int
    key: tuple[int, int] | None = None


@dataclass
class Document:
    """A file as plain data. `marks` has the place of each path."""

    file: str
    text: str
    value: JsonValue = None
    marks: dict[DocPath, Mark] = field(default_factory=dict[DocPath, Mark])


def read_yaml(file: str, text: str) -> Document:
    """Return the one document in a YAML text.

    Raises:
        Unreadable: it is no YAML 1.2, has more than one document, or uses what definitions never need.
    """
    text = text.removeprefix("\ufeff")
    try:
        root = _compose(text)
    except MarkedYAMLError as error:
        raise Unreadable([_broken(file, text, cast("_Marked", error))]) from error
    except ReaderError as error:
        raise Unreadable([_unprintable(file, text, cast("_Unprintable", error))]) from error
    except YAMLError as error:
        raise Unreadable([Problem(file=file, line=1, column=1, message=f"this is no YAML: {error}")]) from error
    except RecursionError as error:
        raise Unreadable([_too_deep(file, 1, 1)]) from error
    if root is None:
        raise Unreadable([Problem(file=file, line=1, column=1, message="this file is empty")])
    builder = _Builder(Document(file=file, text=text))
    builder.document.value = builder.build(root, (), None)
    if builder.problems:
        raise Unreadable(builder.problems)
    return builder.document


def read_document(text: str) -> JsonValue:
    """Return a document of others' making, in YAML or JSON, as plain data: keys are text, and integers past ±(2⁵³-1) are rounded.

    Raises:
        InvalidDefinition: it is neither; `where` is line and column.
    """
    try:
        document = Document(file="document", text=text.removeprefix("\ufeff"))
        root = _compose(document.text)
        if root is None:
            raise InvalidDefinition("the document is empty", where="1:1")
        builder = _Builder(document, foreign=True)
        value = builder.build(root, (), None)
    except MarkedYAMLError as error:
        value, problems = None, [_broken("document", text, cast("_Marked", error))]
    except (YAMLError, RecursionError) as error:
        raise InvalidDefinition(f"the document is neither YAML nor JSON: {str(error)[:200]}", where="1:1") from error
    else:
        problems = builder.problems
    if problems:
        raise InvalidDefinition(problems[0].message, where=f"{problems[0].line}:{problems[0].column}")
    return value


def _unprintable(file: str, text: str, error: _Unprintable) -> Problem:
    before = text[: error.position]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return Problem(file=file, line=line, column=column, message="a control character stands here")


def _compose(text: str) -> _Node | None:
    composed = YAML(typ="rt", pure=True).compose(text)  # pyright: ignore[reportUnknownMemberType]  # untyped
    return cast("_Node | None", composed)


def read_json(file: str, text: str) -> JsonValue:
    """Return the value of a JSON text.

    Raises:
        Unreadable: it is no JSON, repeats a key, or is nested too deep.
    """
    try:
        value = cast("JsonValue", json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_unique, parse_constant=_no_constant))
    except json.JSONDecodeError as error:
        raise Unreadable([Problem(file=file, line=error.lineno, column=error.colno, message=f"this is no JSON: {error.msg}")]) from error
    except ValueError as error:
        raise Unreadable([Problem(file=file, line=1, column=1, message=str(error))]) from error
    except RecursionError as error:
        raise Unreadable([_too_deep(file, 1, 1)]) from error
    if _depth(value) > DEPTH_MAX:
        raise Unreadable([_too_deep(file, 1, 1)])
    return value


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key `{key}` stands twice in one object")
        found[key] = value
    return found


def _no_constant(name: str) -> JsonValue:
    raise ValueError(f"{name} is no JSON")


def _depth(value: JsonValue) -> int:
    """Count levels without recursion, and stop beyond the limit."""
    level, nodes = 0, [value]
    while nodes and level <= DEPTH_MAX:
        level += 1
        inner: list[JsonValue] = []
        for node in nodes:
            inner.extend(node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
        nodes = inner
    return level


def _too_deep(file: str, line: int, column: int) -> Problem:
    return Problem(file=file, line=line, column=column, message=f"this is nested deeper than {DEPTH_MAX} levels")


def _broken(file: str, text: str, error: _Marked) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    problem = error.problem or "this is no YAML"
    if "'\\t'" in problem:
        return Problem(file=file, line=line, column=column, message="a tab cannot indent YAML", instead="spaces")
    if "another document" in problem:
        return Problem(file=file, line=line, column=column, message="one file holds one document", instead="a second file")
    context = f" {error.context}" if error.context and "expected" not in error.context else ""
    return Problem(file=file, line=line, column=column, message=f"broken YAML: {problem}{context}", instead=_hint(text, line))


def _hint(text: str, line: int) -> str:
    lines = text.splitlines()
    source = lines[line - 1] if 0 < line <= len(lines) else ""
    return "quotes around the value" if "${" in source or source.count(": ") > 1 else ""


class _Builder:
    """Turns a node graph into plain data."""

    def __init__(self, document: Document, *, foreign: bool = False) -> None:
        self.document = document
        self._foreign = foreign
        self.problems: list[Problem] = []
        self._nodes = 0
        self._stopped = False

    def build(self, node: _Node, path: DocPath, key: tuple[int, int] | None) -> JsonValue:
        """Return the plain value of a node."""
        self._nodes += 1
        start, end = node.start_mark, node.end_mark
        line, column = start.line + 1, start.column + 1
        if self._stopped:
            return None
        if self._nodes > NODES_MAX:
            self._stop(
                Problem(file=self.document.file, line=line, column=column, message=f"aliases expand to more than {NODES_MAX} values")
            )
            return None
        if len(path) > DEPTH_MAX:
            self._stop(_too_deep(self.document.file, line, column))
            return None
        self.document.marks[path] = Mark(line=line, column=column, start=start.index, end=end.index, key=key)
        if node.id == "mapping":
            return self._mapping(node, path)
        if node.id == "sequence":
            self._check_tag(node, "seq")
            items = cast("list[_Node]", node.value)
            return [self.build(item, (*path, index), None) for index, item in enumerate(items)]
        return self._scalar(node)

    def _stop(self, problem: Problem) -> None:
        self._stopped = True
        self.problems.append(problem)

    def _note(self, node: _Node, message: str, instead: str = "") -> None:
        mark = node.start_mark
        self.problems.append(Problem(file=self.document.file, line=mark.line + 1, column=mark.column + 1, message=message, instead=instead))

    def _mapping(self, node: _Node, path: DocPath) -> dict[str, JsonValue]:
        self._check_tag(node, "map")
        found: dict[str, JsonValue] = {}
        for key_node, value_node in cast("list[tuple[_Node, _Node]]", node.value):
            key = key_node.value
            text = str(key_node.tag) == f"{_TAG}str" or (self._foreign and key != "<<")
            if key_node.id != "scalar" or not text or not isinstance(key, str):
                merge = key == "<<"
                self._note(key_node, "merge keys are not used here" if merge else "a key must be text", "" if merge else f'"{key}"')
                continue
            if key in found:
                self._note(key_node, f"the key `{key}` stands twice in this mapping")
                continue
            mark = key_node.start_mark
            found[key] = self.build(value_node, (*path, key), (mark.line + 1, mark.column + 1))
        return found

    def _check_tag(self, node: _Node, kind: str) -> None:
        if str(node.tag) != f"{_TAG}{kind}":
            self._note(node, f"tags such as `{str(node.tag).removeprefix(_TAG)}` are not used here")

    def _scalar(self, node: _Node) -> JsonValue:
        text = str(node.value)
        match str(node.tag).removeprefix(_TAG):
            case "str" | "timestamp":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() in ("true", "yes", "on")
            case "int":
                return self._integer(node, text)
            case "float":
                return self._float(node, text)
            case _:
                self._check_tag(node, "str")
                return None

    def _integer(self, node: _Node, text: str) -> JsonValue:
        try:
            number = int(text, 0) if text.lstrip("+-")[:2].lower() in ("0x", "0o", "0b") else int(text)
        except ValueError:
            return text
        if abs(number) > _INT_MAX and self._foreign:
            return float(number)
        if abs(number) > _INT_MAX:
            self._note(node, "integers go up to ±(2⁵³-1)", f'"{text}"')
        return number

    def _float(self, node: _Node, text: str) -> JsonValue:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            self._note(node, f"`{text}` is no number that JSON can hold")
            return None
        return number
