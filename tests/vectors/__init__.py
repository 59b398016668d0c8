"""Published test vectors: RFC 6962 and RFC 9162 (Merkle trees), RFC 8785 (canonical JSON). Each file names its source."""

import json
import struct
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent

MERKLE: dict[str, Any] = json.loads((_HERE / "rfc6962.json").read_text(encoding="utf-8"))  # Any: data, checked by being compared
CANONICAL: dict[str, Any] = json.loads((_HERE / "rfc8785.json").read_text(encoding="utf-8"))  # Any: the same

LEAVES = [bytes.fromhex(leaf) for leaf in MERKLE["leaves"]]
ROOTS = [bytes.fromhex(root) for root in (MERKLE["empty_root"], *MERKLE["roots"])]
"""Root of the tree over the first n leaves, at place n."""

DOCUMENTS: list[tuple[str, str, str]] = [(one["name"], one["text"], one["canonical"]) for one in CANONICAL["documents"]]
"""Name, text, canonical text."""

NUMBERS: list[tuple[float, str]] = [(struct.unpack(">d", bytes.fromhex(one["ieee754"]))[0], one["text"]) for one in CANONICAL["numbers"]]
REFUSED_NUMBERS: list[float] = [struct.unpack(">d", bytes.fromhex(one))[0] for one in CANONICAL["refused_numbers"]]


def path_of(proof: dict[str, Any]) -> tuple[bytes, ...]:
    """Return the hashes of a published proof."""
    return tuple(bytes.fromhex(one) for one in proof["path"])
