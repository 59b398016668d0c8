r"""The file a scripted model plays: YAML (or JSON, which is YAML too), read once, refused with file:line:column.

    standfast_script: 1
    about: reviews one delay claim           # for people
    capture:                                 # optional: patterns over the first user message
      claim_id: 'CLM-\d+'
    turns:                                   # the first turn whose `when` holds is played
      - name: look the flight up
        when: {turn: 0}
        reply:
          text: I look the flight up.
          tool_calls:
            - tool: flights.lookup
              arguments: {carrier: "${first.carrier}", flight: "${first.flight}", date: "${first.date}"}
      - name: refuse
        when:
          values: {"results[flights.lookup].found": {equals: false}}
        reply:
          json: {verdict: refuse, reason: the flight never flew}

`when` (all of them must hold; without `when` a turn always does): `turn` (assistant messages so far), `first_contains`, `first_matches`
(first user message), `last_contains`, `last_matches` (last message: a tool result, or what the platform asks to be mended), `last_role`,
`instructions_contain`, `values` (path: one of `exists`, `equals`, `one_of`, `at_least`, `below`).
`reply`: `text` or `json`, `tool_calls`, `stop: refused | length`. A call may have `raw_arguments` (any text) instead of `arguments`.
Before the reply: `delay_s`; and `fail: {status, times, retry_after_s, message}`, the first `times` attempts of this very request (all, if
`times` is left out) fail as a vendor's server would. Paths and `${…}`: adapters/models/script_values.py.
"""

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path as FilePath
from typing import Annotated, Literal, Protocol, Self, cast

from pydantic import AfterValidator, Field, JsonValue, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from adapters.models.script_values import Path, check_places
from domain.errors import InvalidDefinition
from domain.model import Value


def _checked_places(template: JsonValue) -> JsonValue:
    check_places(template)
    return template


def _checked_text(template: str) -> str:
    check_places(template)
    return template


def _checked_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        message = f"not a regular expression: {error}"
        raise ValueError(message) from None
    return pattern


def _checked_path(path: str) -> str:
    Path.parse(path)
    return path


TextTemplate = Annotated[str, AfterValidator(_checked_text)]
JsonTemplate = Annotated[JsonValue, AfterValidator(_checked_places)]
Pattern = Annotated[str, AfterValidator(_checked_pattern)]
ValuePath = Annotated[str, AfterValidator(_checked_path)]


class ValueTest(Value):
    """A test of one value; each key that is given must hold. A value that is absent passes only `exists: false`."""

    exists: bool | None = None
    equals: JsonValue = None
    one_of: list[JsonValue] | None = None
    at_least: float | None = None
    below: float | None = None

    @model_validator(mode="after")
    def _tests_something(self) -> Self:
        if not self.model_fields_set:
            message = "give one of exists, equals, one_of, at_least, below"
            raise ValueError(message)
        return self


class When(Value):
    """When a turn is played; all keys that are given must hold."""

    turn: int | None = Field(default=None, ge=0)
    first_contains: str | None = None
    first_matches: Pattern | None = None
    last_contains: str | None = None
    last_matches: Pattern | None = None
    last_role: Literal["user", "tool"] | None = None
    instructions_contain: str | None = None
    values: dict[ValuePath, ValueTest] = Field(default={})


class ScriptedCall(Value):
    """One tool call of a reply; `raw_arguments` plays a model whose arguments are no JSON object."""

    tool: str
    arguments: dict[str, JsonTemplate] = Field(default={})
    raw_arguments: str | None = None

    @model_validator(mode="after")
    def _one_kind_of_arguments(self) -> Self:
        if self.arguments and self.raw_arguments is not None:
            message = "give arguments or raw_arguments, not both"
            raise ValueError(message)
        return self


class ScriptedReply(Value):
    """What the model says. `json` is written out as JSON text; `stop` is worked out unless given; `reasoning` is streamed, never kept."""

    reasoning: TextTemplate | None = None
    text: TextTemplate | None = None
    json_value: JsonTemplate = Field(default=None, alias="json")
    tool_calls: list[ScriptedCall] = Field(default=[])
    stop: Literal["refused", "length"] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.text is not None and self.has_json:
            message = "give text or json, not both"
            raise ValueError(message)
        if not self.model_fields_set:
            message = "give at least one of text, json, tool_calls, stop"
            raise ValueError(message)
        return self

    @property
    def has_json(self) -> bool:
        """Whether `json` is given, be it null."""
        return "json_value" in self.model_fields_set


class ScriptedFailure(Value):
    """A failure before the reply, as an HTTP status of a vendor's server."""

    status: int = Field(ge=400, le=599)
    times: int | None = Field(default=None, ge=1)
    retry_after_s: float | None = Field(default=None, ge=0)
    message: str = "this failure is part of the script"


class ScriptedTurn(Value):
    """One turn: when it is played, what goes before, and what is said: a piece of `delta_chars` every `delta_s` seconds, if it streams."""

    name: str = ""
    when: When = When()
    delay_s: float = Field(default=0.0, ge=0)
    delta_s: float = Field(default=0.0, ge=0)
    delta_chars: int = Field(default=24, ge=1)
    fail: ScriptedFailure | None = None
    reply: ScriptedReply | None = None

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.reply is None and (self.fail is None or self.fail.times is not None):
            message = "reply is missing; only a turn that always fails needs none"
            raise ValueError(message)
        return self


class Script(Value):
    """A whole script."""

    standfast_script: Literal[1]
    about: str = ""
    capture: dict[str, Pattern] = Field(default={})
    turns: list[ScriptedTurn] = Field(min_length=1)


class _Mark(Protocol):
    """Where ruamel stopped, 0-based (its own class has no types)."""

    line: int
    column: int


class _Positions(Protocol):
    """Where ruamel found the parts of a node, 0-based (its own class has no types)."""

    def key(self, key: int | str) -> tuple[int, int]: ...
    def item(self, key: int | str) -> tuple[int, int]: ...


class LoadedScript:
    """A script and where it stands: `where(index)` names file and line of a turn for error texts."""

    def __init__(self, path: FilePath, script: Script, lines: Sequence[int]) -> None:
        self.script = script
        self._path = path
        self._lines = lines

    def where(self, index: int | None = None) -> str:
        """Return `file:line` of a turn, or the file."""
        return str(self._path) if index is None else f"{self._path}:{self._lines[index]}"


def load_script(path: FilePath) -> LoadedScript:
    """Read and check the script at `path` (UTF-8).

    Raises:
        InvalidDefinition: the file cannot be read, is no YAML, or breaks the format; `where` is file:line:column of the first mistake.
    """
    tree = _read(path)
    try:
        script = Script.model_validate(_plain(tree))
    except ValidationError as error:
        mistakes = [(_place(tree, mistake["loc"]), _sentence(mistake["loc"], mistake["msg"])) for mistake in error.errors()]
        detail = "; ".join(f"line {line}: {sentence}" for (line, _), sentence in mistakes)
        (line, column), _ = mistakes[0]
        raise InvalidDefinition(f"the script {path} has mistakes: {detail}", where=f"{path}:{line}:{column}") from None
    turns = cast("CommentedSeq", tree["turns"])
    return LoadedScript(path, script, [_position(turns, index)[0] for index in range(len(script.turns))])


def _read(path: FilePath) -> CommentedMap:
    try:
        tree: object = YAML(typ="rt", pure=True).load(path.read_text(encoding="utf-8"))  # pyright: ignore[reportUnknownMemberType]  # ruamel is untyped here
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidDefinition(f"the script {path} cannot be read: {error}", where=str(path)) from None
    except YAMLError as error:
        mark = cast("_Mark | None", getattr(error, "problem_mark", None))
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        problem = str(getattr(error, "problem", None) or error)
        raise InvalidDefinition(f"the script {path} is no YAML: {problem}", where=where) from None
    if not isinstance(tree, CommentedMap):
        raise InvalidDefinition(f"the script {path} must be a mapping that begins with 'standfast_script: 1'", where=f"{path}:1:1")
    return tree


def _plain(node: object) -> JsonValue:
    """Return plain values: ruamel's own classes carry comments and positions, and it makes dates of bare 2013-01-14."""
    if isinstance(node, dict):
        return {str(key): _plain(part) for key, part in cast("dict[object, object]", node).items()}
    if isinstance(node, list):
        return [_plain(part) for part in cast("list[object]", node)]
    if isinstance(node, date):
        return node.isoformat()
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return None if node is None else str(node)


def _place(tree: CommentedMap, location: tuple[int | str, ...]) -> tuple[int, int]:
    """Return 1-based line and column of the deepest part of `location` that the file has."""
    place, node = (1, 1), cast("object", tree)
    for key in location:
        if not isinstance(node, CommentedMap | CommentedSeq) or not _has(node, key):
            break
        place = _position(node, key)
        node = cast("object", node[key])
    return place


def _has(node: CommentedMap | CommentedSeq, key: int | str) -> bool:
    return key in node if isinstance(node, CommentedMap) else isinstance(key, int) and key < len(cast("list[object]", node))


def _position(node: CommentedMap | CommentedSeq, key: int | str) -> tuple[int, int]:
    positions = cast("_Positions", getattr(node, "lc", None))
    line, column = positions.key(key) if isinstance(node, CommentedMap) else positions.item(key)
    return line + 1, column + 1


def _sentence(location: tuple[int | str, ...], message: str) -> str:
    path = ".".join(str(part) for part in location if part != "[key]")
    return f"{path}: {message.removeprefix('Value error, ')}" if path else message
