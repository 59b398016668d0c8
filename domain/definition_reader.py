"""Typed reading of a plain document that notes every mistake and goes on. Pure."""

from collections.abc import Iterable

from pydantic import JsonValue

from domain.definition_keywords import LATER, duration_s, near
from domain.definition_parts import DocPath, Mistake
from domain.errors import InvalidInput
from domain.schemas import check_schema

Node = dict[str, JsonValue]


class DocumentReader:
    """Reads values of a document; a wrong one is noted in `mistakes` and replaced by a neutral one."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []

    def note(self, path: DocPath, message: str, instead: str = "", *, on_key: bool = False) -> None:
        """Note one mistake."""
        self.mistakes.append(Mistake(path=path, message=message, instead=instead, on_key=on_key))

    def mapping(self, value: JsonValue, path: DocPath, example: str) -> Node | None:
        """Return a mapping, or None."""
        if isinstance(value, dict):
            return value
        self.note(path, f"`{_last(path)}` must be a mapping, not {_kind(value)}", example)
        return None

    def keys(self, node: Node, path: DocPath, known: Iterable[str], *, place: str) -> None:
        """Note every key that is not known; what comes in a later version is said so."""
        allowed = tuple(known)
        for key in node:
            if key in allowed:
                continue
            if key in LATER.get(place, ()):
                self.note((*path, key), f"`{key}` comes in a later version", on_key=True)
            else:
                self.note((*path, key), f"unknown key `{key}` in {place}", near(key, allowed), on_key=True)

    def text(self, node: Node, key: str, path: DocPath, *, example: str = "", required: bool = True) -> str:
        """Return a text that is not empty; `` if it is missing or wrong."""
        value = node.get(key)
        if isinstance(value, str) and value.strip():
            return value
        if key not in node:
            if required:
                self.note(path, f"`{key}` is missing", example)
            return ""
        self.note((*path, key), f"`{key}` must be text that is not empty, not {_kind(value)}", example)
        return ""

    def integer(self, node: Node, key: str, path: DocPath, *, default: int, between: tuple[int, int]) -> int:
        """Return an integer within bounds."""
        value = node.get(key, default)
        low, high = between
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.note((*path, key), f"`{key}` must be an integer from {low} to {high}", f"{key}: {default}")
        return default

    def number(self, node: Node, key: str, path: DocPath, *, default: float, low: float) -> float:
        """Return a number that is at least `low`."""
        value = node.get(key, default)
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= low:
            return float(value)
        self.note((*path, key), f"`{key}` must be a number of at least {low:g}", f"{key}: {default:g}")
        return default

    def boolean(self, node: Node, key: str, path: DocPath, *, default: bool) -> bool:
        """Return true or false."""
        value = node.get(key, default)
        if isinstance(value, bool):
            return value
        self.note((*path, key), f"`{key}` must be true or false, not {_kind(value)}", f"{key}: {str(default).lower()}")
        return default

    def duration(self, node: Node, key: str, path: DocPath) -> float | None:
        """Return seconds, or None if the key is absent or wrong."""
        if key not in node:
            return None
        value = node[key]
        seconds = duration_s(value) if isinstance(value, str) else None
        if seconds is None:
            instead = f"{key}: {value}s" if isinstance(value, int) and not isinstance(value, bool) and value > 0 else f"{key}: 1h30m"
            self.note((*path, key), f"`{key}` must be a duration of units d h m s ms, at most 366 days", instead)
        return seconds

    def choice(self, node: Node, key: str, path: DocPath, known: tuple[str, ...]) -> str:
        """Return one of the known words; the first is the default."""
        value = node.get(key, known[0])
        if value in known:
            return str(value)
        if isinstance(value, str) and value in LATER.get(key, ()):
            self.note((*path, key), f"`{key}: {value}` comes in a later version", near(value, known))
        else:
            self.note((*path, key), f"`{key}` must be one of {', '.join(known)}", near(value, known) if isinstance(value, str) else "")
        return known[0]

    def schema(self, node: Node, path: DocPath) -> Node | None:
        """Return the JSON Schema under `schema`, or None if it is missing or none."""
        value = self.mapping(node.get("schema"), (*path, "schema") if "schema" in node else path, "schema: {type: object, properties: {…}}")
        if value is None:
            return None
        try:
            check_schema(value)
        except InvalidInput as error:
            inner = [int(part) if part.isdigit() else part for part in (error.where or "").split("/")[1:]]
            self.note((*path, "schema", *inner), error.detail)
            return None
        return value


def _last(path: DocPath) -> str:
    return str(next((part for part in reversed(path) if isinstance(part, str)), "the definition"))


def _kind(value: JsonValue) -> str:
    if value is None:
        return "nothing"
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "a mapping"}
    return names[type(value)]
