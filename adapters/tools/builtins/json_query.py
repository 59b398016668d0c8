"""The tool `json.query`: JSONPath (RFC 9535) over a value, bounded in time and size."""

import asyncio
import json
from itertools import islice
from typing import cast

import jsonpath
from pydantic import JsonValue

from domain.canonical import canonical_bytes
from domain.effects import EffectClass
from domain.errors import InvalidInput, ToolFailed
from domain.tools import ToolCall, ToolSpec

PATH_CHARS_MAX = 500
DOCUMENT_BYTES_MAX = 1024 * 1024
RESULTS_MAX = 1000
DESCENTS_MAX = 2
"""Each `..` multiplies the nodes that are visited."""
NODES_MAX = 200_000
"""Bound of document nodes times descents: a query over so many takes about a second."""


class JsonQuery:
    """`json.query` 1.0.0. Filters run no functions that search with regular expressions: those could run for ever."""

    def __init__(self) -> None:
        self._language = jsonpath.JSONPathEnvironment(strict=True)
        for name in ("match", "search"):
            self._language.function_extensions.pop(name, None)

    @property
    def spec(self) -> ToolSpec:
        """What the tool declares."""
        return ToolSpec(
            name="json.query",
            version="1.0.0",
            description="Finds values in JSON by a JSONPath (RFC 9535), such as $.flights[?@.delay > 180].id; at most 1,000 results.",
            input_schema={
                "type": "object",
                "properties": {
                    "path": {"type": "string", "minLength": 1, "maxLength": PATH_CHARS_MAX},
                    "document": {"description": "the JSON value, or a text that holds it"},
                },
                "required": ["path", "document"],
                "additionalProperties": False,
            },
            output_schema={
                "type": "object",
                "properties": {"results": {"type": "array"}, "truncated": {"type": "boolean"}},
                "required": ["results", "truncated"],
                "additionalProperties": False,
            },
            effect_class=EffectClass.NONE,
            timeout_s=10.0,
            docs="docs/tools-builtin.md#jsonquery",
        )

    async def call(self, call: ToolCall) -> JsonValue:
        """Look.

        Raises:
            ToolFailed: it is no path or no JSON, or too much of it.
        """
        document, path = _document(call.arguments["document"]), str(call.arguments["path"])
        if path.count("..") > DESCENTS_MAX or _nodes(document) * (1 + 9 * path.count("..")) > NODES_MAX:
            raise ToolFailed("the query visits too much: name more of the way, and use .. once", where="/path")
        try:
            return await asyncio.to_thread(self._found, path, document)
        except (jsonpath.JSONPathError, RecursionError) as error:
            raise ToolFailed(f"the path cannot be used: {str(error)[:300]}", where="/path") from error

    def _found(self, path: str, document: JsonValue) -> JsonValue:
        matches = self._language.finditer(path, cast("dict[str, object]", document))
        values = [cast("JsonValue", match.obj) for match in islice(matches, RESULTS_MAX + 1)]
        return {"results": values[:RESULTS_MAX], "truncated": len(values) > RESULTS_MAX}


def _document(given: JsonValue) -> JsonValue:
    """Return the value, read from a text if it is one that holds an object or a list.

    Raises:
        ToolFailed: as it says.
    """
    try:
        if len(canonical_bytes(given)) > DOCUMENT_BYTES_MAX:
            raise ToolFailed(f"the document is larger than {DOCUMENT_BYTES_MAX} bytes", where="/document")
        if isinstance(given, str):
            return cast("JsonValue", json.loads(given))
    except (ValueError, RecursionError, InvalidInput) as error:
        raise ToolFailed(f"the document is no JSON: {error}", where="/document") from error
    return given


def _nodes(value: JsonValue) -> int:
    """Count a document's values, without recursion."""
    count, waiting = 0, [value]
    while waiting:
        node = waiting.pop()
        count += 1
        waiting.extend(node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
    return count
