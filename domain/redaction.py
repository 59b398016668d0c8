"""Strikes known secrets out of texts and values, also as base64, URL, hex, and in pieces. Pure; nothing here keeps or prints a value.

A secret is looked for in every form in which programs write it, with capitals and separators left out of the comparison, across all
texts of a value at once, so that a secret cut into a list's items is found too. Streams are held back by no more than what may be the
beginning of one.
"""

import base64
import string
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeVar, cast
from urllib.parse import quote, quote_plus

from pydantic import JsonValue

MASK: Final = "[secret]"
CHARS_MIN: Final = 8
"""Shorter values are left alone: they would be struck out of words, and are too short for secrets (NIST SP 800-63B §3.1.1)."""
ONE_BY_ONE_MAX: Final = 200
"""Up to so many forms (of some fifteen secrets) looking for each is quicker than looking at each place of a text."""
SEPARATORS: Final = string.whitespace + "\"'`,;:|\\-_.\u200b\u200c\u200d\u2060\ufeff"
"""What may stand between the pieces of a split secret; left out of both sides of the comparison."""
_FOLD: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase, SEPARATORS)

V = TypeVar("V")


def forms(value: str) -> frozenset[str]:
    """Return how a value may be written, each folded: plain, URL, hex, and base64 at every place it can take in a longer text."""
    raw = value.encode("utf-8", errors="replace")
    written = {
        value,
        quote(value, safe=""),
        quote(value),
        quote_plus(value),
        "".join(f"%{byte:02x}" for byte in raw),
        raw.hex(),
        value[::-1],
    }
    written |= {"".join(f"\\x{byte:02x}" for byte in raw), "".join(f"\\u{ord(each):04x}" for each in value)}
    for lead in range(3):
        coded = base64.b64encode(b"\0" * lead + raw).decode()
        first = (lead * 8 + 5) // 6
        last = (lead + len(raw)) * 8 // 6
        written |= {coded[first:last], coded[first:last].replace("+", "-").replace("/", "_")}
    return frozenset(folded for each in written if len(folded := fold(each)) >= min(CHARS_MIN, len(fold(value))) and folded)


def fold(text: str) -> str:
    """Return a text without separators and capitals."""
    return text.translate(_FOLD)


class Redactor:
    """Strikes out a set of secrets, which may grow.

    Few forms are looked for one by one, each at the speed of the machine; of many, only those that begin as the text does at a place.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self._forms: set[str] = set()
        self._starts: dict[str, list[str]] = {}
        self._indexed: dict[str, list[str]] = {}
        self._short: list[str] = []
        self._longest = 0
        for value in values:
            self.add(value)

    def add(self, value: str) -> None:
        """Strike this out too; what is too short to be a secret is left alone."""
        if len(value) < CHARS_MIN or len(fold(value)) < CHARS_MIN // 2:
            return
        for form in forms(value) - self._forms:
            self._forms.add(form)
            self._starts.setdefault(form[0], []).append(form)
            (self._indexed.setdefault(form[:CHARS_MIN], []) if len(form) >= CHARS_MIN else self._short).append(form)
            self._longest = max(self._longest, len(form))

    def __bool__(self) -> bool:
        """Whether there is anything to strike out."""
        return bool(self._forms)

    def text(self, text: str) -> str:
        """Return a text without any secret."""
        return self.texts([text])[0]

    def cut_text(self, text: str) -> str:
        """Return a text that somebody may have cut, such as an error, without any secret and without the beginnings of any."""
        folded = fold(text)
        spans = self._spans(folded, beginnings=True)
        return _masked([text], [folded], spans)[0] if spans else text

    def texts(self, texts: Sequence[str]) -> list[str]:
        """Return texts without any secret, also one whose pieces lie in several of them, in this order."""
        if not self._forms:
            return list(texts)
        folded = [fold(text) for text in texts]
        joined = "".join(folded)
        spans = self._spans(joined)
        if not spans:
            return list(texts)
        return _masked(texts, folded, spans)

    def value(self, value: V) -> V:
        """Return a JSON value without any secret in its texts and keys; numbers stay."""
        if not self._forms:
            return value
        texts: list[str] = []
        _collect(cast("JsonValue", value), texts)
        told = self.texts(texts)
        return value if told == texts else cast("V", _rebuilt(cast("JsonValue", value), iter(told)))

    def held(self, text: str) -> int:
        """Return how many characters at the end of a text may be the beginning of a secret."""
        if not self._forms:
            return 0
        tail = text[-(self._longest * 2 + 64) :]
        folded = fold(tail)
        for start in range(max(0, len(folded) - self._longest + 1), len(folded)):
            rest = folded[start:]
            if any(form.startswith(rest) for form in self._starts.get(rest[0], ())):
                return len(tail) - _place(tail, start)
        return 0

    def _spans(self, joined: str, *, beginnings: bool = False) -> list[tuple[int, int]]:
        """Return where forms lie in a folded text, or `beginnings` of at least CHARS_MIN characters; overlapping ones together."""
        if len(self._forms) > ONE_BY_ONE_MAX:
            found = [*_each(self._short, joined, beginnings=beginnings), *self._at_places(joined, beginnings=beginnings)]
        else:
            found = list(_each(self._forms, joined, beginnings=beginnings))
        merged: list[tuple[int, int]] = []
        for begin, end in sorted(found):
            if merged and begin < merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((begin, end))
        return merged

    def _at_places(self, joined: str, *, beginnings: bool) -> Iterator[tuple[int, int]]:
        """Give where forms lie, or beginnings of them, by what the text begins with at each place."""
        for place in range(len(joined) - CHARS_MIN + 1):
            for form in self._indexed.get(joined[place : place + CHARS_MIN], ()):
                if beginnings:
                    yield place, place + _shared(form, joined, place)
                elif joined.startswith(form, place):
                    yield place, place + len(form)


class RedactedStream:
    """One stream of pieces: what may be the beginning of a secret waits for what follows."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._waiting = ""

    def take(self, piece: str) -> str:
        """Return what can be shown now."""
        text = self._redactor.text(self._waiting + piece)
        held = self._redactor.held(text)
        self._waiting = text[len(text) - held :] if held else ""
        return text[: len(text) - held] if held else text

    def end(self) -> str:
        """Return what still waits: nothing follows, so it is no secret."""
        rest, self._waiting = self._redactor.text(self._waiting), ""
        return rest


def _each(forms: Iterable[str], joined: str, *, beginnings: bool) -> Iterator[tuple[int, int]]:
    """Give where each form lies, or beginnings of it."""
    for form in forms:
        wanted = form[:CHARS_MIN] if beginnings else form
        place = joined.find(wanted)
        while place >= 0:
            yield place, place + (_shared(form, joined, place) if beginnings else len(form))
            place = joined.find(wanted, place + 1)


def _shared(form: str, joined: str, place: int) -> int:
    """Return how many characters of a form stand in a text from a place on."""
    there = joined[place : place + len(form)]
    return next((count for count, (wanted, found) in enumerate(zip(form, there, strict=False)) if wanted != found), len(there))


def _place(text: str, count: int) -> int:
    """Return where the character stands that is the `count`th, from 0, of the folded text."""
    kept = [place for place, letter in enumerate(text) if letter not in SEPARATORS]
    return kept[count]


def _masked(texts: Sequence[str], folded: Sequence[str], spans: list[tuple[int, int]]) -> list[str]:
    """Return the texts with each span's part in them replaced; the mask stands once in each text that a secret touches."""
    told: list[str] = []
    offset = 0
    for text, short in zip(texts, folded, strict=True):
        kept = [place for place, letter in enumerate(text) if letter not in SEPARATORS]
        parts: list[str] = []
        done = 0
        for begin, end in spans:
            first, last = max(begin - offset, 0), min(end - offset, len(short)) - 1
            if first <= last and first < len(short):
                parts += [text[done : kept[first]], MASK]
                done = kept[last] + 1
        told.append("".join([*parts, text[done:]]))
        offset += len(short)
    return told


def _collect(value: JsonValue, texts: list[str]) -> None:
    if isinstance(value, str):
        texts.append(value)
    elif isinstance(value, list):
        for each in value:
            _collect(each, texts)
    elif isinstance(value, dict):
        for key, each in value.items():
            texts.append(key)
            _collect(each, texts)


def _rebuilt(value: JsonValue, told: Iterable[str]) -> JsonValue:
    words = iter(told)
    if isinstance(value, str):
        return next(words)
    if isinstance(value, list):
        return [_rebuilt(each, words) for each in value]
    if isinstance(value, dict):
        return {next(words): _rebuilt(each, words) for each in value.values()}
    return value
