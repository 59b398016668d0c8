"""What a script can read of a conversation, and the `${…}` places where it writes it; pure functions of the request.

    ${first.claim.flight}                  the first JSON object (or list) in the first user message
    ${instructions.bands}                  the first JSON object (or list) in the instructions
    ${first_text}  ${last_text}            the texts of the first user message and of the last message
    ${result.total}  ${results[python.run].total}   JSON of the last tool result, of any tool or of that one; its text if it is no JSON
    ${all_results[python.run].0}           every result of that tool, oldest first
    ${captured.name}                       what a `capture` pattern of the script found in the first user message
    ${turn}                                the number of assistant messages so far
    ${first.flight!python}                 as a Python literal, for code; `!json` as JSON; else text as it is and the rest as JSON

A value that is one place and nothing else keeps its type: `flight: ${first.flight}` stays a number. `$${` writes `${`.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from domain.provider import CompletionRequest, Message

ROOTS = ("first", "instructions", "first_text", "last_text", "result", "results", "all_results", "captured", "turn")
"""Every name a path may begin with."""

_SEGMENT = re.compile(r"\.?([A-Za-z0-9_-]+)|\[([^\]]+)\]")
_PLACE = re.compile(r"\$\$\{|\$\{([^}]*)\}")
_STYLES: Mapping[str, Callable[[JsonValue], str]] = {
    "": lambda value: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False),
    "json": lambda value: json.dumps(value, ensure_ascii=False),
    "python": repr,
}


class PathError(ValueError):
    """A path is not one, or leads nowhere; the text says which and what there is instead."""


@dataclass(frozen=True)
class Path:
    """A parsed path, such as `results[flights.lookup].arrival_delay_minutes`."""

    text: str
    segments: tuple[str, ...]
    style: str = ""

    @classmethod
    def parse(cls, text: str) -> "Path":
        """Parse `text`.

        Raises:
            PathError: it is no path, begins with an unknown name, or asks for an unknown style.
        """
        body, _, style = text.strip().partition("!")
        segments: list[str] = []
        place = 0
        while place < len(body):
            match = _SEGMENT.match(body, place)
            if match is None or (not segments and body[0] in ".["):
                message = f"'{text}' is not a path; write for example first.claim.flight or results[flights.lookup].found"
                raise PathError(message)
            segments.append(match[1] or match[2])
            place = match.end()
        if not segments or segments[0] not in ROOTS:
            message = f"'{text}' begins with none of {', '.join(ROOTS)}"
            raise PathError(message)
        if style not in _STYLES:
            message = f"'{text}' asks for the style '{style}'; there are python and json"
            raise PathError(message)
        return cls(text.strip(), tuple(segments), style)


def conversation_values(request: CompletionRequest, captures: Mapping[str, str]) -> dict[str, JsonValue]:
    """Return the roots of all paths. `captures` maps names to patterns; group 1 counts if the pattern has one."""
    first_text = next((message.text for message in request.messages if message.role == "user"), "")
    last_text = request.messages[-1].text if request.messages else ""
    every = _results(request.messages)
    found = {name: match for name, pattern in captures.items() if (match := re.search(pattern, first_text))}
    values: dict[str, JsonValue] = {
        "first": json_in(first_text),
        "instructions": json_in(request.instructions),
        "first_text": first_text,
        "last_text": last_text,
        "results": {tool: results[-1] for tool, results in every.items()},
        "all_results": dict(every),
        "captured": {name: match[1] if match.re.groups else match[0] for name, match in found.items()},
        "turn": sum(message.role == "assistant" for message in request.messages),
    }
    tool_texts = [message.text for message in request.messages if message.role == "tool"]
    if tool_texts:
        values["result"] = _json_or_text(tool_texts[-1])
    return values


def look_up(path: Path, values: Mapping[str, JsonValue]) -> JsonValue:
    """Return the value at `path`.

    Raises:
        PathError: it leads nowhere.
    """
    here: JsonValue = dict(values)
    for segment in path.segments:
        if isinstance(here, dict) and segment in here:
            here = here[segment]
        elif isinstance(here, list) and segment.isdigit() and int(segment) < len(here):
            here = here[int(segment)]
        else:
            there = f"keys {', '.join(sorted(here)) or 'none'}" if isinstance(here, dict) else f"a {type(here).__name__}"
            message = f"'{path.text}' has no value: at '{segment}' the conversation has {there}"
            raise PathError(message)
    return here


def fill(template: JsonValue, values: Mapping[str, JsonValue]) -> JsonValue:
    """Return `template` with every place filled, in lists and objects too; keys stay as they are.

    Raises:
        PathError: a place leads nowhere.
    """
    if isinstance(template, dict):
        return {key: fill(part, values) for key, part in template.items()}
    if isinstance(template, list):
        return [fill(part, values) for part in template]
    if not isinstance(template, str):
        return template
    whole = _PLACE.fullmatch(template)
    if whole and whole[1] is not None and "!" not in whole[1]:
        return look_up(Path.parse(whole[1]), values)
    return fill_text(template, values)


def fill_text(template: str, values: Mapping[str, JsonValue]) -> str:
    """Return the text with every place filled.

    Raises:
        PathError: a place leads nowhere.
    """

    def written(match: re.Match[str]) -> str:
        if match[1] is None:
            return "${"
        path = Path.parse(match[1])
        return _STYLES[path.style](look_up(path, values))

    return _PLACE.sub(written, template)


def check_places(template: JsonValue) -> None:
    """Parse every place in `template`.

    Raises:
        PathError: one of them is no path.
    """
    if isinstance(template, dict):
        for part in template.values():
            check_places(part)
    elif isinstance(template, list):
        for part in template:
            check_places(part)
    elif isinstance(template, str):
        for match in _PLACE.finditer(template):
            if match[1] is not None:
                Path.parse(match[1])


def json_in(text: str) -> JsonValue:
    """Return the first JSON object or list in `text`, prose around it or not; None if there is none."""
    decoder = json.JSONDecoder()
    for match in re.finditer(r"[\[{]", text):
        try:
            value: JsonValue = decoder.raw_decode(text, match.start())[0]
        except (ValueError, RecursionError):
            continue
        return value
    return None


def _json_or_text(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        found = json_in(text)
        return text if found is None else found
    return value


def _results(messages: list[Message]) -> dict[str, list[JsonValue]]:
    """Return every tool's results, oldest first; a result belongs to the last call with its id before it."""
    tools: dict[str, str] = {}
    results: dict[str, list[JsonValue]] = {}
    for message in messages:
        tools.update({call.vendor_id: call.name for call in message.tool_calls})
        if message.role == "tool" and message.vendor_id in tools:
            results.setdefault(tools[message.vendor_id], []).append(_json_or_text(message.text))
    return results
