"""Reads `http` tools from YAML: a list under `tools`, each one `domain.http_tool.HttpToolDeclaration`."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from pydantic import JsonValue, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from domain.errors import InvalidDefinition, InvalidInput
from domain.http_tool import HttpToolDeclaration
from domain.schemas import check_schema

BASE = re.compile(r"^\$\{([A-Z][A-Z0-9_]*)\}")
"""A URL may begin with `${NAME}`, an address that the deployment knows, such as that of a service of its own."""


def read_http_tools(text: str, *, source: str, bases: Mapping[str, str] | None = None) -> list[HttpToolDeclaration]:
    """Return the declarations in `text`; `source` names the file in errors, `bases` gives the addresses behind `${NAME}`.

    Raises:
        InvalidDefinition: no YAML, a wrong or unknown field, an unusable schema, a base that is not set; `where` is the place.
    """
    try:
        # ruamel does not annotate what `load` reads.
        document = cast("object", YAML(typ="safe", pure=True).load(text))  # pyright: ignore[reportUnknownMemberType]
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        raise InvalidDefinition(f"not readable as YAML: {getattr(error, 'problem', error)}", where=where) from error
    if not isinstance(document, dict) or set(cast("dict[str, object]", document)) != {"tools"}:
        raise InvalidDefinition("a tools file holds one key, `tools`, with a list of declarations", where=source)
    entries = cast("dict[str, object]", document)["tools"]
    if not isinstance(entries, list):
        raise InvalidDefinition("`tools` must be a list of declarations", where=f"{source}#/tools")
    found = cast("list[object]", entries)
    return [_declaration(entry, where=f"{source}#/tools/{index}", bases=bases or {}) for index, entry in enumerate(found)]


def read_http_tools_file(path: Path, *, bases: Mapping[str, str] | None = None) -> list[HttpToolDeclaration]:
    """Return the declarations of one file.

    Raises:
        InvalidDefinition: as `read_http_tools`, or the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidDefinition(f"cannot be read: {error}", where=str(path)) from error
    return read_http_tools(text, source=str(path), bases=bases)


def _declaration(entry: object, *, where: str, bases: Mapping[str, str]) -> HttpToolDeclaration:
    """Build one declaration and check its schemas.

    Raises:
        InvalidDefinition: a wrong field or an unusable schema.
    """
    if not isinstance(entry, dict):
        raise InvalidDefinition("a tool is a mapping with kind, name, method, url, input and effect_class", where=where)
    fields = cast("dict[str, JsonValue]", entry)
    if isinstance(fields.get("url"), str):
        fields = {**fields, "url": _with_base(str(fields["url"]), where=where, bases=bases)}
    try:
        declaration = HttpToolDeclaration.model_validate(fields)
    except ValidationError as error:
        told = [f"{'.'.join(str(part) for part in each['loc']) or 'tool'}: {each['msg']}" for each in error.errors(include_url=False)]
        raise InvalidDefinition("; ".join(told), where=where) from error
    for side, schema in (("input", declaration.input_schema), ("output", declaration.output_schema)):
        try:
            check_schema(schema)
        except InvalidInput as error:
            raise InvalidDefinition(f"{side}: {error.detail}", where=f"{where}/{side}{error.where or ''}") from error
    return declaration


def _with_base(url: str, *, where: str, bases: Mapping[str, str]) -> str:
    """Return the URL with its `${NAME}` replaced by the address of that name.

    Raises:
        InvalidDefinition: that name is not set.
    """
    match = BASE.match(url)
    if match is None:
        return url
    base = bases.get(match.group(1))
    if not base:
        known = ", ".join(sorted(bases)) or "none"
        raise InvalidDefinition(f"the URL begins with {match.group(0)}, which is not set; set are: {known}", where=f"{where}/url")
    return base.rstrip("/") + url[match.end() :]
