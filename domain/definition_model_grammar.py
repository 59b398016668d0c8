"""The grammar of how an agent's models are asked: fallbacks, a price limit, sampling, attachments. Pure."""

from typing import Final, cast

from pydantic import JsonValue

from domain.attachments import place_of
from domain.budget import usd_micros
from domain.definition_keywords import TEMPERATURE_MAX
from domain.definition_parts import DocPath
from domain.definition_reader import DocumentReader, Node
from domain.fallbacks import FALLBACKS_MAX, REASONS, USUAL, Fallback
from domain.provider import FallbackReason

_FALLBACK_KEYS: Final = ("model", "on")
_EXAMPLE: Final = "fallback: [{model: provider/name, on: [overload, refusal]}]"


def model_options(reader: DocumentReader, node: Node, path: DocPath) -> dict[str, object]:
    """Return what a step says of how its models are asked."""
    said: dict[str, object] = {}
    if "fallback" in node:
        said["fallbacks"] = _fallbacks(reader, node["fallback"], (*path, "fallback"))
    if "max_call_usd" in node:
        said["max_call_usd_micros"] = _dollars(reader, node["max_call_usd"], (*path, "max_call_usd"))
    if "temperature" in node:
        said["temperature"] = temperature = reader.number(node, "temperature", path, default=1.0, low=0.0)
        if temperature > TEMPERATURE_MAX:
            reader.note((*path, "temperature"), f"a temperature lies between 0 and {TEMPERATURE_MAX:g}", "temperature: 0.2")
    if "parallel_tools" in node:
        said["parallel_tools"] = reader.boolean(node, "parallel_tools", path, default=True)
    if "attachments" in node:
        said["attachments"] = _sources(reader, node["attachments"], (*path, "attachments"))
    return said


def _fallbacks(reader: DocumentReader, value: JsonValue, path: DocPath) -> list[Fallback]:
    if not isinstance(value, list) or not 0 < len(value) <= FALLBACKS_MAX:
        reader.note(path, f"`fallback` is a list of 1 to {FALLBACKS_MAX} models", _EXAMPLE)
        return []
    found: list[Fallback] = []
    for index, item in enumerate(value):
        at = (*path, index)
        node: Node | None = {"model": item} if isinstance(item, str) else reader.mapping(item, at, _EXAMPLE)
        if node is None:
            continue
        reader.keys(node, at, _FALLBACK_KEYS, place="fallback")
        model = reader.text(node, "model", at, example="model: provider/name")
        found.append(Fallback(model=model, on=_reasons(reader, node, at)))
    return found


def _reasons(reader: DocumentReader, node: Node, path: DocPath) -> tuple[FallbackReason, ...]:
    given = node.get("on", list(USUAL))
    reasons = given if isinstance(given, list) and given else [given]
    if not all(reason in REASONS for reason in reasons):
        reader.note((*path, "on"), f"`on` is a list of {', '.join(REASONS)}", "on: [overload, refusal]")
        return USUAL
    return tuple(cast("list[FallbackReason]", reasons))


def _dollars(reader: DocumentReader, value: JsonValue, path: DocPath) -> int | None:
    micros = usd_micros(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else None
    if micros is None:
        reader.note(path, "`max_call_usd` is an amount of dollars with at most six decimals", 'max_call_usd: "0.05"')
    return micros


def _sources(reader: DocumentReader, value: JsonValue, path: DocPath) -> list[str]:
    if not isinstance(value, list):
        reader.note(path, "`attachments` is a list of places", "attachments: [input.photo]")
        return []
    found: list[str] = []
    for index, item in enumerate(value):
        if isinstance(item, str) and place_of(item) is not None:
            found.append(item)
        else:
            instead = "input.photo, or steps.scan.output.page"
            reader.note((*path, index), "an attachment is a place in the input or in a step's output", instead)
    return found
