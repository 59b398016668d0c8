"""Turns a mistake's place in the plain document into file, line and column."""

from adapters.definitions.documents import Mark
from adapters.definitions.inlining import Inlined
from domain.cel import position
from domain.cel_text import Hole, UnclosedHole, split
from domain.definition_parts import DocPath, Mistake
from domain.registry import Problem


def locate(mistake: Mistake, inlined: Inlined, files: dict[str, str]) -> Problem:
    """Return the problem a person sees."""
    file = _origin(mistake.path, inlined)
    if file is None:
        document = inlined.document
        line, column = _in_document(mistake, document.marks, document.text)
        return Problem(file=document.file, line=line, column=column, message=mistake.message, instead=mistake.instead)
    text = files.get(file, "")
    line, column = _in_text(mistake, text) if file.endswith(".md") else (1, 1)
    return Problem(file=file, line=line, column=column, message=mistake.message, instead=mistake.instead)


def _origin(path: DocPath, inlined: Inlined) -> str | None:
    return next((inlined.origins[path[:length]] for length in range(len(path), -1, -1) if path[:length] in inlined.origins), None)


def _in_document(mistake: Mistake, marks: dict[DocPath, Mark], text: str) -> tuple[int, int]:
    mark = next(marks[mistake.path[:length]] for length in range(len(mistake.path), -1, -1) if mistake.path[:length] in marks)
    if mistake.on_key and mark.key is not None:
        return mark.key
    start = _hole(text[mark.start : mark.end], mistake.hole)
    if start is None:
        return mark.line, mark.column
    return _within(position(text, mark.start + start), mistake.inner)


def _in_text(mistake: Mistake, text: str) -> tuple[int, int]:
    start = _hole(text, mistake.hole)
    return (1, 1) if start is None else _within(position(text, start), mistake.inner)


def _hole(raw: str, index: int | None) -> int | None:
    """Return the offset of the n-th expression in the text as written, or None where its escapes hide it."""
    if index is None:
        return None
    try:
        found = [part for part in split(raw) if isinstance(part, Hole)]
    except UnclosedHole:
        return None
    return found[index].offset if index < len(found) else None


def _within(start: tuple[int, int], inner: tuple[int, int]) -> tuple[int, int]:
    line, column = inner
    return (start[0], start[1] + column - 1) if line == 1 else (start[0] + line - 1, column)
