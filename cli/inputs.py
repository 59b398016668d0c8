"""Reads JSON that a user gives: written out, in a file, or on standard input."""

import json
import sys
from pathlib import Path
from typing import cast

import typer
from pydantic import JsonValue


def read_json(given: str, option: str) -> JsonValue:
    """Return the value of `-` (standard input), of JSON text, or of a file.

    Args:
        given: What the user gave.
        option: The option's name, for messages.

    Raises:
        typer.BadParameter: It cannot be read, or is no JSON; the text says where.
    """
    text, place = _text_of(given, option)
    try:
        return cast("JsonValue", json.loads(text))
    except json.JSONDecodeError as error:
        raise typer.BadParameter(f"{option}: {place} is no JSON: line {error.lineno}, column {error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise typer.BadParameter(f"{option}: {place} is nested too deeply") from error


def read_object(given: str, option: str) -> dict[str, JsonValue]:
    """Return a JSON object, read as `read_json` does.

    Raises:
        typer.BadParameter: It is another JSON value, cannot be read, or is no JSON.
    """
    value = read_json(given, option)
    if not isinstance(value, dict):
        raise typer.BadParameter(f'{option}: a JSON object such as {{"name": "value"}} is needed, not {type(value).__name__}')
    return value


def read_text(given: str, option: str) -> str:
    """Return the text of a file, or of `-` (standard input).

    Raises:
        typer.BadParameter: It cannot be read.
    """
    return _text_of(given, option)[0]


def _text_of(given: str, option: str) -> tuple[str, str]:
    if given == "-":
        return sys.stdin.read(), "standard input"
    if given.lstrip()[:1] in {"{", "[", '"'}:
        return given, "the text"
    path = Path(given)
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except FileNotFoundError as error:
        raise typer.BadParameter(f"{option}: there is no file {given!r}; give a file, JSON text, or - for standard input") from error
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{option}: {path} cannot be read: {error}") from error
