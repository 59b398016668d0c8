"""Text as a reviewer must see it: what a screen hides or turns around becomes visible. Pure.

Bidirectional controls make `10 to Ada` read as something else, and characters without a shape hide text (Unicode TR36 and TR39; PROOF B26).
"""

import unicodedata
from typing import NamedTuple

from pydantic import JsonValue

_HIDDEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""General categories without a shape of their own: controls, formats, unassigned, private, half surrogates, separators."""

_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters, marks and symbols drawn as nothing (Unicode's Default_Ignorable_Code_Point, and U+2800, braille without dots)."""

_VARIANTS = range(0xFE00, 0xFE10)
_VARIANTS_MORE = range(0xE0100, 0xE01F0)
"""Variation selectors: they carry hidden bytes."""


class TextPart(NamedTuple):
    """A stretch of text; `hidden` says that it stands for one character that a screen would not show."""

    text: str
    hidden: bool = False


def hides(character: str) -> bool:
    """Whether a screen would show nothing for this character, or let it turn others around. A plain space is seen."""
    if " " <= character <= "~":
        return False
    category = unicodedata.category(character)
    code = ord(character)
    return category in _HIDDEN or category == "Zs" or character in _BLANK_LETTERS or code in _VARIANTS or code in _VARIANTS_MORE


def visible_parts(text: str) -> list[TextPart]:
    """Return the text in stretches, each hidden character as `[U+202E RIGHT-TO-LEFT OVERRIDE]`."""
    parts: list[TextPart] = []
    start = 0
    for place, character in enumerate(text):
        if hides(character):
            if place > start:
                parts.append(TextPart(text[start:place]))
            parts.append(TextPart(_named(character), hidden=True))
            start = place + 1
    if start < len(text):
        parts.append(TextPart(text[start:]))
    return parts


def visible(text: str) -> str:
    """Return the text with every hidden character named, for places that know no markup. Line ends are named too."""
    return "".join(part.text for part in visible_parts(text))


def visible_lines(text: str) -> str:
    """Return the text with every hidden character named but line feeds, for texts of several lines, such as titles."""
    return "\n".join(visible(line) for line in text.split("\n"))


def hidden_places(value: JsonValue, place: str = "") -> list[str]:
    """Return where a value has hidden characters other than line feeds, as `place.name: U+202E`, keys included."""
    if isinstance(value, str):
        found = sorted({f"U+{ord(letter):04X}" for letter in value if letter != "\n" and hides(letter)})
        return [f"{visible_lines(place)}: {', '.join(found)}"] if found else []
    if isinstance(value, list):
        return [each for count, item in enumerate(value) for each in hidden_places(item, f"{place}[{count}]")]
    if isinstance(value, dict):
        keys = [each for key in value for each in hidden_places(key, f"{place} (a name)")]
        return keys + [each for key, item in value.items() for each in hidden_places(item, f"{place}.{key}" if place else key)]
    return []


def _named(character: str) -> str:
    name = unicodedata.name(character, "")
    return f"[U+{ord(character):04X} {name}]" if name else f"[U+{ord(character):04X}]"
