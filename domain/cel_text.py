"""The text of CEL expressions inside strings: where `${ }` holes begin and end, and where `has(…)` calls stand. Pure.

A small scanner that knows CEL's string literals and comments, so that a brace or parenthesis inside them never counts.
"""

import re
from dataclasses import dataclass
from typing import Final

_LITERAL: Final = re.compile(r"([bB]?[rR]|[rR]?[bB])?('''|\"\"\"|'|\")")
_COMMENT: Final = re.compile(r"//[^\n]*")
_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_HAS: Final = re.compile(r"has\s*\(")
_PAIRS: Final = {"{": "}", "(": ")", "[": "]"}


@dataclass(frozen=True)
class Hole:
    """One `${ }`: the expression inside and the offset of its first character in the string, in code points."""

    source: str
    offset: int


class UnclosedHole(Exception):
    """A `${` without its `}`; `offset` is where it begins."""

    def __init__(self, offset: int) -> None:
        super().__init__("this `${` has no closing `}`; to write `${` as text, write `$${`")
        self.offset = offset


def split(text: str) -> list[str | Hole]:
    """Return the literal parts and the holes of a string, in order; `$${` becomes the text `${`.

    Raises:
        UnclosedHole: a `${` is not closed.
    """
    parts: list[str | Hole] = []
    literal, at = "", 0
    while at < len(text):
        if text.startswith("$${", at):
            literal, at = literal + "${", at + 3
        elif text.startswith("${", at):
            end = _closing(text, at + 2, "}")
            if end < 0:
                raise UnclosedHole(at)
            if literal:
                parts.append(literal)
            inner = text[at + 2 : end]
            parts.append(
                Hole(
                    source=inner.strip(),
                    offset=at + 2 + len(inner) - len(inner.lstrip()),
                )
            )
            literal, at = "", end + 1
        else:
            dollar = text.find("$", at + 1)
            end = len(text) if dollar < 0 else dollar
            literal, at = literal + text[at:end], end
    if literal:
        parts.append(literal)
    return parts


def without_has(source: str) -> str:
    """Return `source` with each `has(…)` replaced by `true`, padded with blanks so that no position moves."""
    out, at = "", 0
    while at < len(source):
        end = _skip(source, at)
        found = _HAS.match(source, at)
        closing = _closing(source, found.end(), ")") if found and not source[:at].rstrip().endswith(".") else -1
        if closing >= 0:
            out += "true" + re.sub(r"[^\n]", " ", source[at + 4 : closing + 1])
            at = closing + 1
        else:
            end = end if end > at else _word_end(source, at)
            out, at = out + source[at:end], end
    return out


def _closing(text: str, at: int, wanted: str) -> int:
    """Return the offset of the bracket that closes what was open at `at`, or -1."""
    stack = [wanted]
    while at < len(text):
        skipped = _skip(text, at)
        if skipped > at:
            at = skipped
            continue
        char = text[at]
        if char in _PAIRS:
            stack.append(_PAIRS[char])
        elif char == stack[-1]:
            stack.pop()
            if not stack:
                return at
        at += 1
    return -1


def _skip(text: str, at: int) -> int:
    """Return the end of the string literal or comment that begins at `at`, or `at`; an unclosed literal runs to the end."""
    comment = _COMMENT.match(text, at)
    if comment:
        return comment.end()
    literal = _LITERAL.match(text, at)
    if literal is None or (literal.group(1) and at and (text[at - 1].isalnum() or text[at - 1] == "_")):
        return at
    prefix, quote = literal.group(1) or "", literal.group(2)
    raw, end = "r" in prefix.lower(), literal.end()
    while end < len(text):
        if text[end] == "\\" and not raw:
            end += 2
        elif text.startswith(quote, end):
            return end + len(quote)
        else:
            end += 1
    return len(text)


def _word_end(text: str, at: int) -> int:
    word = _WORD.match(text, at)
    # A literal's prefix is part of the literal, which `_skip` has taken already.
    return word.end() if word else at + 1
