"""JSON Schemas of a Python function's parameters and result, from its annotations; its docstring as descriptions. Pure.

Understood is what pydantic understands: `Optional`, `list`, `dict`, `Literal`, unions, models, dataclasses, `TypedDict`; and a text within
`Annotated` describes what it stands beside.
"""

import inspect
import re
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, Final, NamedTuple, NotRequired, Union, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PydanticUserError, TypeAdapter, create_model
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError
from typing_extensions import TypedDict, is_typeddict

from domain.errors import InvalidDefinition
from domain.tools import ToolCall

Function = Callable[..., Any]  # Any: a function of whatever its author wrote
Schema = dict[str, JsonValue]

_SECTION: Final = re.compile(r"^\s*(Args|Arguments|Parameters|Returns|Raises|Yields|Examples?|Note|Notes):\s*$")
_ARGUMENT: Final = re.compile(r"^(\s+)\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)$")


class Signature(NamedTuple):
    """What a function takes and gives. `call_parameter` is the one that is handed the call itself, `result` reads what it returns."""

    parameters: type[BaseModel]
    input_schema: Schema
    output_schema: Schema
    result: TypeAdapter[Any] | None
    call_parameter: str | None


class Docstring(NamedTuple):
    """What a docstring says: its first paragraphs, and each argument's line."""

    description: str
    arguments: dict[str, str]


def signature_of(function: Function, told: Docstring) -> Signature:
    """Return the schemas of a function.

    Raises:
        InvalidDefinition: an annotation is missing or cannot be a JSON Schema, or a parameter cannot be given by name.
    """
    hints = _hints(function)
    fields: dict[str, Any] = {}  # Any: pydantic's own shape of a field, type and default
    call_parameter: str | None = None
    for name, parameter in inspect.signature(function).parameters.items():
        if hints.get(name) is ToolCall:
            call_parameter = name
            continue
        fields[name] = _field(function, parameter, hints, told.arguments.get(name))
    try:
        model = create_model(f"{function.__name__}_arguments", __config__=ConfigDict(extra="forbid"), **fields)
        schema = plain_schema(model.model_json_schema())
        result = None if hints.get("return") in (None, type(None)) else TypeAdapter(described(hints["return"]))
        output = {} if result is None else plain_schema(result.json_schema(mode="serialization"))
    except (PydanticUserError, PydanticSchemaGenerationError, PydanticInvalidForJsonSchema, NameError) as error:
        raise InvalidDefinition(
            f"no JSON Schema can be made of {function.__qualname__}: {str(error).splitlines()[0]}; annotate with JSON's types, models,"
            " dataclasses or TypedDict, or give input_schema and output_schema by hand"
        ) from error
    return Signature(model, {"properties": {}, **schema}, output, result, call_parameter)


def _hints(function: Function) -> dict[str, Any]:  # Any: annotations are of any kind
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        told = f"the annotations of {function.__qualname__} cannot be read: {error}"
        raise InvalidDefinition(f"{told}; define their types in the module") from error


def _field(function: Function, parameter: inspect.Parameter, hints: dict[str, Any], told: str | None) -> tuple[Any, Any]:
    """Return a parameter as pydantic's pair of type and default.

    Raises:
        InvalidDefinition: it cannot be given by name, or has no annotation.
    """
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
        raise InvalidDefinition(f"{function.__qualname__}: arguments are given by name, which `{parameter}` does not allow")
    if parameter.name not in hints:
        raise InvalidDefinition(f"{function.__qualname__}: annotate the parameter `{parameter.name}`, or give input_schema by hand")
    annotation = described(hints[parameter.name])
    default = ... if parameter.default is parameter.empty else parameter.default
    own = get_origin(annotation) is Annotated and any(getattr(each, "description", None) for each in get_args(annotation)[1:])
    return (annotation if own or not told else Annotated[annotation, Field(description=told)]), default


def described(annotation: Any) -> Any:  # noqa: ANN401  # an annotation is of any kind
    """Return an annotation in which texts within `Annotated` are descriptions, and `typing.TypedDict` is one that pydantic reads."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        kept = [Field(description=_text(each)) if _text(each) else each for each in arguments[1:]]
        return Annotated[(described(arguments[0]), *kept)]
    if is_typeddict(annotation):
        return _typed_dict(annotation)
    if origin in (Union, types.UnionType):
        return Union[tuple(described(each) for each in arguments)]  # noqa: UP007 - of as many as there are
    if origin in (list, dict, set, frozenset, tuple) and arguments:
        return cast("Any", origin)[tuple(each if each is ... else described(each) for each in arguments)]
    return annotation


def _text(metadata: object) -> str | None:
    """Return what a part of `Annotated` says in words: a text, or PEP 727's Doc."""
    said = metadata if isinstance(metadata, str) else getattr(metadata, "documentation", None)
    return said if isinstance(said, str) else None


def _typed_dict(annotation: Any) -> Any:  # noqa: ANN401  # a TypedDict class of either module
    hints = typing.get_type_hints(annotation, include_extras=True)
    optional = cast("frozenset[str]", annotation.__optional_keys__)
    fields = {name: NotRequired[described(hint)] if name in optional else described(hint) for name, hint in hints.items()}
    make = cast("Callable[[str, dict[str, Any]], Any]", TypedDict)  # Any: its fields are known when it is made
    made = make(annotation.__name__, fields)
    made.__doc__ = annotation.__doc__
    return made


def plain_schema(schema: dict[str, Any]) -> Schema:  # Any: pydantic's schema, plain JSON
    """Return a schema without the titles that pydantic makes of names: a model reads it, and they say nothing new."""
    kept: Schema = {}
    for key, value in schema.items():
        if key == "title" and isinstance(value, str):
            continue
        if key in ("properties", "$defs") and isinstance(value, dict):
            named = cast("dict[str, dict[str, Any]]", value)  # Any: as above
            kept[key] = {name: plain_schema(child) for name, child in named.items()}
        elif isinstance(value, dict):
            kept[key] = plain_schema(cast("dict[str, Any]", value))  # Any: as above
        elif isinstance(value, list):
            items = cast("list[Any]", value)  # Any: as above
            kept[key] = [plain_schema(cast("dict[str, Any]", each)) if isinstance(each, dict) else each for each in items]
        else:
            kept[key] = value
    return kept


def docstring_of(function: Function) -> Docstring:
    """Return what a docstring in Google's convention says."""
    lines = (inspect.getdoc(function) or "").splitlines()
    first = next((place for place, line in enumerate(lines) if _SECTION.match(line)), len(lines))
    arguments: dict[str, str] = {}
    section, name, depth = "", "", 0
    for line in lines[first:]:
        if (match := _SECTION.match(line)) is not None:
            section, name = match.group(1), ""
        elif section in ("Args", "Arguments", "Parameters") and (match := _ARGUMENT.match(line)) and (not depth or len(match[1]) <= depth):
            depth, name = len(match[1]), match[2]
            arguments[name] = match[3].strip()
        elif name and line.strip():
            arguments[name] = f"{arguments[name]} {line.strip()}".strip()
    text = "\n".join(lines[:first]).strip()
    return Docstring(" ".join(text.split()), arguments)
