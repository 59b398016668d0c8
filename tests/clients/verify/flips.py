"""One changed byte anywhere in a bundle file, with the places that the byte belongs to."""

import json
from random import Random

from tests.clients.verify.writer import Json

Places = frozenset[tuple[str, str | int, int]]
LISTS = ("entries", "tree_heads", "public_keys", "inclusion", "consistency")
UNPROVEN = "exported_at"
"""When the exporter says it wrote the file: a remark, covered by nothing."""


def pieces_of(bundle: Json) -> list[tuple[str, int | None, str]]:
    """Return the compact text of a bundle in pieces: name of the member, place in its list, text."""
    pieces: list[tuple[str, int | None, str]] = []
    for name, value in bundle.items():
        pieces.append((name, None, ("{" if not pieces else ",") + json.dumps(name) + ":"))
        if name not in LISTS:
            pieces.append((name, None, json.dumps(value)))
            continue
        for place, item in enumerate(value):
            pieces.append((name, None, "," if place else "["))
            pieces.append((name, place, json.dumps(item, separators=(",", ":"))))
        pieces.append((name, None, "]" if value else "[]"))
    pieces.append(("", None, "}"))
    return pieces


def flipped(bundle: Json, rng: Random) -> tuple[bytes, Places]:
    """Return the file with one byte changed, and where the change may be shown."""
    pieces = pieces_of(bundle)
    text = "".join(piece for _, _, piece in pieces).encode()
    while True:
        where = rng.randrange(len(text))
        name, place, start, piece = _piece_at(pieces, where)
        if name != UNPROVEN or piece.startswith(","):
            break
    byte = text[where] ^ rng.randrange(1, 256)
    file = text[:where] + bytes([byte]) + text[where + 1 :]
    spot: Places = frozenset({("file", "character", where + 1), ("file", "byte", where)})
    if place is None:
        return file, spot | {("file", "", 0), ("any", "", 0)}
    changed = (piece[: where - start].encode() + bytes([byte]) + piece[where - start + 1 :].encode()).decode(errors="replace")
    return file, spot | {("file", f"{name}[{place}]", 0)} | _of_item(name, bundle[name][place]) | _of_text(name, changed)


def _piece_at(pieces: list[tuple[str, int | None, str]], where: int) -> tuple[str, int | None, int, str]:
    start = 0
    for name, place, piece in pieces:
        if where < start + len(piece):
            return name, place, start, piece
        start += len(piece)
    raise IndexError(where)


def _of_text(name: str, text: str) -> Places:
    """Return the places of an item as the changed text gives them: a changed name makes it another entry, of a run without a first."""
    try:
        item: Json = json.loads(text)
        alone: Places = frozenset({("entry", item["run"], 1)} if name == "entries" else ())
        return _of_item(name, item) | alone
    except (ValueError, KeyError, TypeError):
        return frozenset()


def _of_item(name: str, item: Json) -> Places:
    if name in {"entries", "inclusion"}:
        return frozenset({("entry", item["run"], item["seq"])})
    if name == "tree_heads":
        return frozenset({("head", "", item["tree_size"])})
    if name == "public_keys":
        return frozenset({("key", item["key_id"], 0)})
    return frozenset({("head", "", item["to_size"]), ("head", "", item["from_size"])})
