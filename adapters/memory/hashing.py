"""Vectors by hashing: the words and letter groups of a text, each added at a place that its hash names ("feature hashing").

It needs no model, no network and no download, and finds texts that share words or spellings: words, not meanings. Texts that mean alike in
other words an embedder finds that asks a model (`adapters/models/embeddings.py`).
"""

import hashlib
import math
import re
import unicodedata

from domain.memory import Embedded

DIMENSIONS = 256
"""Enough that two words of a short text rarely meet in one place; a vector takes a kilobyte."""
NAME = f"hashing-1-{DIMENSIONS}"
"""What vectors of this version of the algorithm are known by."""
_WORD = re.compile(r"\w+")
_GROUP = 3
_GROUP_WEIGHT = 0.35
"""Letter groups find inflections and misspellings, and count less than whole words."""
_COMMON = frozenset(
    {
        *("a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "from", "has", "have", "he", "her", "his", "i", "in", "is", "it"),
        *("its", "not", "of", "on", "or", "our", "she", "so", "that", "the", "their", "there", "they", "this", "to", "was", "we", "were"),
        *("what", "when", "which", "who", "will", "with", "you", "your"),
    }
)
"""Words that say nothing about what a text is about."""


class HashingEmbedder:
    """Implements `domain.memory.Embedder`; the same text has the same vector on every machine and in every version of this name."""

    async def embed(self, texts: list[str]) -> Embedded:
        """Return a vector for each text; one without words points to the first axis."""
        return Embedded(embedder=NAME, vectors=[vector(text) for text in texts])

    async def aclose(self) -> None:
        """Do nothing: it has no connections."""


def vector(text: str) -> list[float]:
    """Return the vector of a text, of length 1."""
    sums = [0.0] * DIMENSIONS
    for feature, weight in _features(text).items():
        digest = hashlib.blake2b(feature.encode(), digest_size=8).digest()
        place = int.from_bytes(digest[:4], "big") % DIMENSIONS
        sums[place] += weight if digest[4] & 1 else -weight
    length = math.sqrt(sum(value * value for value in sums))
    if length == 0:
        return [1.0, *([0.0] * (DIMENSIONS - 1))]
    return [value / length for value in sums]


def _features(text: str) -> dict[str, float]:
    counts: dict[str, float] = {}
    plain = unicodedata.normalize("NFKC", text).casefold()
    for word in _WORD.findall(plain):
        if word in _COMMON:
            continue
        counts[f"w:{word}"] = counts.get(f"w:{word}", 0.0) + 1.0
        framed = f"^{word}$"
        for begin in range(len(framed) - _GROUP + 1):
            group = f"g:{framed[begin : begin + _GROUP]}"
            counts[group] = counts.get(group, 0.0) + _GROUP_WEIGHT
    return {feature: 1 + math.log(count) if count > 1 else count for feature, count in counts.items()}
