"""What the caller brings apart from the bundle: trusted keys, and tree heads remembered from earlier."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, cast

from standfast_verify.bundle import PublicKey, TreeHead, head_of, key_of
from standfast_verify.findings import BadInput
from standfast_verify.reading import parsed, parsed_file

KEYS_IN = ("public_keys",)
HEADS_IN = ("tree_heads", "items", "data")
"""Members under which a file may hold them: of a bundle, of the gateway's page of heads, of a webhook anchor's message."""


class Remembered(NamedTuple):
    """Tree heads from the caller's files; `notes` names lines that were left out."""

    heads: list[TreeHead]
    notes: list[str]


def read_keys(paths: Sequence[Path]) -> dict[str, PublicKey]:
    """Read trusted keys: a file holds one key, a list of keys, or an object with such a list under `public_keys`.

    Raises:
        BadInput: a file holds something else, or a key whose id is not that of its bytes.
    """
    found: dict[str, PublicKey] = {}
    for path in paths:
        content = parsed_file(path)
        try:
            keys = [key_of(value, f"key {place}") for place, value in enumerate(_items(content, KEYS_IN), start=1)]
        except BadInput as error:
            raise BadInput(f"{path}: {error}") from error
        for place, key in enumerate(keys, start=1):
            if key.own_id() != key.key_id:
                raise BadInput(f"{path}: key {place} is named {key.key_id}, and its bytes have the id {key.own_id()}")
            if found.setdefault(key.key_id, key) != key:
                raise BadInput(f"{path}: key {key.key_id} stands twice, with different times of validity")
    return found


def read_heads(paths: Sequence[Path]) -> Remembered:
    """Read remembered heads: a file holds one head, a list of heads, an object with them under one of HEADS_IN, or one head a line.

    A line that is no JSON is left out with a note, since a machine that stops while an anchor writes leaves half a line.

    Raises:
        BadInput: a file holds something else.
    """
    found = Remembered([], [])
    for path in paths:
        for where, value in _head_values(path, found.notes):
            try:
                found.heads.append(head_of(value, where))
            except BadInput as error:
                raise BadInput(f"{path}: {error}") from error
    return found


def _head_values(path: Path, notes: list[str]) -> list[tuple[str, object]]:
    try:
        content = parsed_file(path)
    except BadInput:
        values = _lines(path, notes)
        if not values:
            raise
        return values
    try:
        return [(f"head {place}", value) for place, value in enumerate(_items(content, HEADS_IN), start=1)]
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def _lines(path: Path, notes: list[str]) -> list[tuple[str, object]]:
    text = path.read_bytes().decode(errors="replace") if path.is_file() else ""
    values: list[tuple[str, object]] = []
    for place, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            values += [(f"line {place}", value) for value in _items(parsed(line), HEADS_IN)]
        except BadInput as error:
            notes.append(f"{path}: line {place} was left out: {error}")
    return values


def _items(value: object, names: Sequence[str]) -> list[object]:
    """Return what a file or line holds: one value, or the values of a list.

    Raises:
        BadInput: the list is empty, and checking against nothing would look like checking.
    """
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        value = next((members[name] for name in names if name in members), members)
    items = cast("list[object]", value) if isinstance(value, list) else [value]
    if not items:
        raise BadInput("the list is empty")
    return items
