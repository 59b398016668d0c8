"""A server's answer as a tool's result: bounded, with what a screen hides made visible. Imports the SDK's types; load it late."""

import json
from typing import cast

from mcp_types import AudioContent, CallToolResult, EmbeddedResource, ImageContent, ResourceLink, TextContent, Tool
from pydantic import JsonValue

from domain.errors import ToolFailed
from domain.mcp import LISTING_BYTES_MAX, Listed
from domain.visible_text import hides, visible

COMPLAINT_CHARS_MAX = 2000
"""How much of a server's error is told: it is text of the server's choice."""
KEPT_CONTROLS = "\n\t\r"


def listed_of(tool: Tool) -> Listed:
    """Return a tool as its server lists it.

    Raises:
        ToolFailed: it is larger than a listing may be.
    """
    annotations = {} if tool.annotations is None else tool.annotations.model_dump(mode="json", exclude_none=True)
    told = Listed(
        name=tool.name,
        title=tool.title or "",
        description=tool.description or "",
        input_schema=cast("dict[str, JsonValue]", tool.input_schema),
        output_schema=cast("dict[str, JsonValue]", tool.output_schema or {}),
        annotations=cast("dict[str, JsonValue]", annotations),
    )
    if len(told.model_dump_json()) > LISTING_BYTES_MAX:
        raise ToolFailed(f"the MCP server describes {tool.name[:60]!r} in more than {LISTING_BYTES_MAX} bytes")
    return told


def result_of(tool: str, answer: CallToolResult, *, bytes_max: int) -> JsonValue:
    """Return `{content: [texts and notes], structured, truncated}`; a structured part beyond the bound is left out: a cut would break it.

    Raises:
        ToolFailed: the server says that the call failed.
    """
    texts = [_text(block) for block in answer.content]
    if answer.is_error:
        raise ToolFailed(f"{tool} failed: {' '.join(texts)[:COMPLAINT_CHARS_MAX] or 'the server does not say why'}")
    structured = shown(cast("JsonValue", answer.structured_content))
    size = 0 if structured is None else len(json.dumps(structured))
    fits = size <= bytes_max
    content, truncated = _within(texts, bytes_max - size if fits else bytes_max)
    return {"content": cast("JsonValue", content), "structured": structured if fits else None, "truncated": truncated or not fits}


def shown(value: JsonValue) -> JsonValue:
    """Return a value whose texts name every hidden character but line ends and tabs."""
    if isinstance(value, str):
        return value if not any(hides(each) and each not in KEPT_CONTROLS for each in value) else _named(value)
    if isinstance(value, list):
        return [shown(each) for each in value]
    if isinstance(value, dict):
        return {_named(key): shown(each) for key, each in value.items()}
    return value


def _named(text: str) -> str:
    return "".join(visible(each) if hides(each) and each not in KEPT_CONTROLS else each for each in text)


def _text(block: object) -> str:
    """Return a block as text; what is no text is told, not carried: a model could not read it, and it may be large."""
    match block:
        case TextContent():
            return cast("str", shown(block.text))
        case ImageContent() | AudioContent():
            return f"[{block.type}, {block.mime_type[:60]}, {len(block.data) * 3 // 4} bytes, not carried]"
        case ResourceLink():
            return f"[resource {cast('str', shown(str(block.uri)[:500]))}]"
        case EmbeddedResource():
            text = getattr(block.resource, "text", None)
            return cast("str", shown(text)) if isinstance(text, str) else f"[resource {str(block.resource.uri)[:500]}, not carried]"
        case _:
            return "[content of another kind, not carried]"


def _within(texts: list[str], room: int) -> tuple[list[str], bool]:
    """Return as much of the texts as fits into `room` bytes of JSON, and whether something was cut."""
    kept: list[str] = []
    for text in texts:
        size = len(json.dumps(text)) + 2
        if size > room:
            cut = json.dumps(text)[1 : max(room, 1)].encode("ascii")
            whole = text[: _characters(cut)]
            return ([*kept, whole] if whole else kept), True
        kept.append(text)
        room -= size
    return kept, False


def _characters(cut: bytes) -> int:
    """Return how many characters lie whole in a piece of escaped JSON: each takes one byte, or an escape of two, six or twelve."""
    count = place = 0
    while place < len(cut):
        if cut[place : place + 1] != b"\\":
            place += 1
        elif cut[place + 1 : place + 2] == b"u":
            place += 12 if cut[place + 2 : place + 4].lower() in (b"d8", b"d9", b"da", b"db") else 6
        else:
            place += 2
        count += place <= len(cut)
    return count
