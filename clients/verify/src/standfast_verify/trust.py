"""What the caller brings apart from the bundle: trusted keys, and tree heads remembered from earlier."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from standfast_verify.bundle import PublicKey, TreeHead, head_of, key_of
from standfast_verify.findings import BadInput
from standfast_verify.reading import parsed, parsed_file


def read_keys(paths: Sequence[Path]) -> dict[str, PublicKey]:
    """Read trusted keys: a file holds one key, a list of keys, or an object whose `public_keys` is such a list.

    Raises:
        BadInput: a file holds something else, or a key whose id is not that of its bytes.
    """
    found: dict[str, PublicKey] = {}
    for path in paths:
        for place, value in enumerate(_items(parsed_file(path), "public_keys")):
            try:
                key = key_of(value, f"key {place + 1}")
            except BadInput as error:
                raise BadInput(f"{path}: {error}") from error
            if key.own_id() != key.key_id:
                raise BadInput(f"{path}: key {place + 1} is named {key.key_id}, and its bytes have the id {key.own_id()}")
            if found.setdefault(key.key_id, key) != key:
                raise BadInput(f"{path}: key {key.key_id} stands twice, with different times of validity")
    return found


def read_heads(paths: Sequence[Path]) -> list[TreeHead]:
    """Read remembered heads: a file holds one head, a list of heads, an object whose `tree_heads` is such a list, or one head a line.

    Raises:
        BadInput: a file holds something else.
    """
    found: list[TreeHead] = []
    for path in paths:
        for place, value in enumerate(_head_values(path)):
            try:
                found.append(head_of(value, f"head {place + 1}"))
            except BadInput as error:
                raise BadInput(f"{path}: {error}") from error
    return found


def _head_values(path: Path) -> list[object]:
    try:
        return _items(parsed_file(path), "tree_heads")
    except BadInput:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()] if path.is_file() else []
        if len(lines) < 2:
            raise
        return _lines(path, lines)


def _lines(path: Path, lines: Sequence[str]) -> list[object]:
    values: list[object] = []
    for place, line in enumerate(lines, start=1):
        try:
            values.append(parsed(line))
        except BadInput as error:
            raise BadInput(f"{path}: line {place}: {error}") from error
    return values


def _items(value: object, name: str) -> list[object]:
    found = cast("dict[str, object]", value).get(name) if isinstance(value, dict) else value
    return cast("list[object]", found) if isinstance(found, list) else [value]
