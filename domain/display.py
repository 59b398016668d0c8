"""Text as a reviewer must see it: what is invisible, or turns the direction of what follows, is written out. Pure.

A title may quote what a model or a customer wrote. A right-to-left override in it can show `exe.txt` for `txt.exe`, a zero-width space can
make two recipients look alike; so a reviewer would approve what they do not see (Unicode TR 36, "bidirectional text spoofing").
"""

import unicodedata

from pydantic import JsonValue

_HIDING = frozenset({"Cc", "Cf", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories of what is not seen: controls, formats (bidi, zero width), private use, unassigned, separators of lines."""

_SEEN = frozenset({"\n"})
"""The one control that a title may have."""


def visible(text: str) -> str:
    """Return the text with every hidden character written as ⟨U+202E⟩."""
    return "".join(letter if _is_seen(letter) else f"⟨U+{ord(letter):04X}⟩" for letter in text)


def hidden_places(value: JsonValue, place: str = "") -> list[str]:
    """Return where a value has hidden characters, as `place.name: U+202E`, keys included."""
    if isinstance(value, str):
        found = sorted({f"U+{ord(letter):04X}" for letter in value if not _is_seen(letter)})
        return [f"{visible(place)}: {', '.join(found)}"] if found else []
    if isinstance(value, list):
        return [each for count, item in enumerate(value) for each in hidden_places(item, f"{place}[{count}]")]
    if isinstance(value, dict):
        keys = [each for key in value for each in hidden_places(key, f"{place} (a name)")]
        return keys + [each for key, item in value.items() for each in hidden_places(item, f"{place}.{key}" if place else key)]
    return []


def _is_seen(letter: str) -> bool:
    return letter in _SEEN or unicodedata.category(letter) not in _HIDING
