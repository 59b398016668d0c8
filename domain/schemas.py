"""JSON Schema 2020-12: is a schema usable, does a value fit; the only module that imports jsonschema-rs. Pure.

References to other documents are refused (nothing is fetched), patterns run on an engine whose time is linear in the text, and
formats such as `date` are checked.
"""

from functools import lru_cache
from typing import cast

import jsonschema_rs
from pydantic import JsonValue

from domain.canonical import canonical_bytes
from domain.errors import InvalidInput
from domain.tools import ToolSpec

MESSAGE_CHARS_MAX = 300
"""A message quotes the offending value; longer ones are cut, so that a large value cannot flood a problem or a log."""
MISTAKES_MAX = 20
"""How many mistakes of one value are told; the rest are only counted."""

Schema = dict[str, JsonValue] | bool


def pointer(path: list[str | int]) -> str:
    """Return the RFC 6901 pointer of `path`; the whole document is the empty text."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _told(error: jsonschema_rs.ValidationError) -> str:
    """Return `/place: what is wrong`, cut to a readable length."""
    message = error.message.splitlines()[0] if error.message else "does not fit"
    if len(message) > MESSAGE_CHARS_MAX:
        message = message[: MESSAGE_CHARS_MAX - 1] + "…"
    return f"{pointer(error.instance_path) or '(top level)'}: {message}"


@lru_cache(maxsize=512)
def _validator(schema_text: str) -> jsonschema_rs.Validator:
    """Compile the schema with this canonical text, once."""
    return jsonschema_rs.validator_for(
        schema_text,
        validate_formats=True,
        offline=True,
        pattern_options=jsonschema_rs.RegexOptions(),
    )


def _compiled(schema: Schema) -> jsonschema_rs.Validator:
    """Return the validator of `schema`.

    Raises:
        InvalidInput: it is no usable JSON Schema.
    """
    text = canonical_bytes(cast("JsonValue", schema)).decode()
    try:
        return _validator(text)
    except jsonschema_rs.ValidationError as error:
        reason = error.message.splitlines()[0]
        if "not present in a registry" in reason or "offline" in reason.lower():
            reason = f"references to other documents are not fetched: write the referenced schema under $defs ({reason})"
        raise InvalidInput(f"not a usable JSON Schema: {reason}", where=pointer(error.instance_path)) from error
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        raise InvalidInput(f"not a usable JSON Schema: {error}") from error


def check_schema(schema: Schema) -> None:
    """Refuse what is no usable JSON Schema 2020-12.

    Raises:
        InvalidInput: a wrong keyword, a bad pattern, a reference that does not resolve inside the schema; `where` is the
            JSON pointer of the place in the schema.
    """
    _compiled(schema)


def validate(schema: Schema, value: JsonValue) -> list[str]:
    """Return what is wrong with `value`, each as `/json/pointer: message`; an empty list means that it fits.

    Raises:
        InvalidInput: the schema itself is unusable.
    """
    mistakes = [_told(error) for error in _compiled(schema).iter_errors(value)]
    if len(mistakes) > MISTAKES_MAX:
        return [*mistakes[:MISTAKES_MAX], f"and {len(mistakes) - MISTAKES_MAX} more mistakes"]
    return mistakes


def validate_arguments(spec: ToolSpec, arguments: dict[str, JsonValue]) -> list[str]:
    """Return what is wrong with the arguments of a call of `spec`, as `validate` does."""
    return validate(spec.input_schema, arguments)


def validate_output(spec: ToolSpec, output: JsonValue) -> list[str]:
    """Return what is wrong with a result of `spec`; a tool without an output schema may return anything."""
    return validate(spec.output_schema, output) if spec.output_schema else []
