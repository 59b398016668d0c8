"""A message to a reviewer as Slack blocks. Pure.

Texts are `plain_text`, in which nothing is markup; &, < and > are escaped all the same, since Slack reads its own commands in them. What
does not fit is cut where a reader sees it, and the page shows it whole.
"""

from collections.abc import Iterable, Iterator
from html import escape

from pydantic import JsonValue

from domain.channels import ReviewMessage
from domain.review_summary import ReviewSummary, ShownCall, dollars, moment
from domain.visible_text import visible

HEADER_CHARS_MAX, SECTION_CHARS_MAX, BUTTON_URL_CHARS_MAX = 150, 3000, 3000
BLOCKS_MAX = 50
"""Slack's own limits (Block Kit reference: header, section, button, message)."""

LINES_CHARS_MAX = 2800
"""Of one section of lines; escaping makes some longer."""
VALUE_CHARS_MAX = 400
CALL_BLOCKS_MAX = 40
BUTTON = "Look at it and decide"
ONLY_YOURS = "This link is yours alone and works once. Opening it decides nothing."

Block = dict[str, JsonValue]


def payload(message: ReviewMessage) -> dict[str, JsonValue]:
    """Return the body of an incoming webhook's request."""
    blocks: list[JsonValue] = [*_blocks(message)]
    return {"text": _fitted(message.heading, SECTION_CHARS_MAX), "blocks": blocks, "unfurl_links": False}


def _blocks(message: ReviewMessage) -> Iterator[Block]:
    yield {"type": "header", "text": _plain(_fitted(message.heading, HEADER_CHARS_MAX))}
    if message.lines:
        yield from _sections(_fitted(line, VALUE_CHARS_MAX) for line in message.lines)
    if message.summary is not None:
        shown = [block for number, call in enumerate(message.summary.calls, 1) for block in _sections(_call_lines(number, call))]
        yield from shown[:CALL_BLOCKS_MAX]
        if len(shown) > CALL_BLOCKS_MAX:
            yield from _sections(["There is more than fits here. Do not decide from this message: the page shows all of it."])
        yield {"type": "context", "elements": [_plain(_fitted(_about(message.summary), LINES_CHARS_MAX))]}
    if message.link is not None and len(message.link) <= BUTTON_URL_CHARS_MAX:
        button: Block = {"type": "button", "text": _plain(BUTTON), "url": message.link, "style": "primary", "action_id": "open"}
        yield {"type": "actions", "elements": [button]}
        yield {"type": "context", "elements": [_plain(ONLY_YOURS)]}


def _call_lines(number: int, call: ShownCall) -> Iterator[str]:
    yield _fitted(f"{number}. {call.tool} {call.version} (step {call.step})", VALUE_CHARS_MAX)
    for argument in call.arguments:
        later = "" if argument.bound else " (not bound)"
        yield f"{_fitted(argument.place, VALUE_CHARS_MAX)}: {_fitted(argument.text, VALUE_CHARS_MAX)}{later}"


def _about(summary: ReviewSummary) -> str:
    cost = "" if summary.cost_usd_micros is None else f" · cost so far {dollars(summary.cost_usd_micros)}"
    until = moment(summary.deadline) or "no deadline"
    return f"Requested by {summary.requester} · until {until}{cost} · {summary.definition} · {summary.run}"


def _sections(lines: Iterable[str]) -> Iterator[Block]:
    """Yield sections of as many lines as fit, in order."""
    portion = ""
    for line in lines:
        if portion and len(portion) + 1 + len(line) > LINES_CHARS_MAX:
            yield {"type": "section", "text": _plain(portion)}
            portion = line
        else:
            portion = f"{portion}\n{line}" if portion else line
    yield {"type": "section", "text": _plain(portion)}


def _plain(escaped: str) -> Block:
    return {"type": "plain_text", "text": escaped or " ", "emoji": False}


def _fitted(text: str, most: int) -> str:
    """Return a text with every hidden character named, escaped, and cut where that takes more than so many characters."""
    seen = visible(text)
    whole = escape(seen, quote=False)
    if len(whole) <= most:
        return whole
    note = f"… ({len(text)} characters; the page shows them)"
    shown, room = "", most - len(note)
    for character in seen:
        part = escape(character, quote=False)
        if len(shown) + len(part) > room:
            break
        shown += part
    return shown + note
