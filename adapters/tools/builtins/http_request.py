"""The tool `http.request`: one HTTP request to a place that the caller names, by the guard."""

import json
import re
from typing import cast

from pydantic import JsonValue

from adapters.tools.builtins.exchanges import REDIRECTS_MAX, Exchanged, Exchanges, Outbound, carried, next_hop
from domain.effects import EffectClass, RetryClass
from domain.egress import EgressRules
from domain.errors import ToolFailed
from domain.tools import ToolCall, ToolSpec

ANSWER_BYTES_MAX = 256 * 1024
BODY_CHARS_MAX = 256 * 1024
HEADER_NAME = re.compile(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$")
OWN_HEADERS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "upgrade", "te", "expect", "proxy-authorization"}
)
"""Headers that the request itself sets; one that could change them could smuggle a second request."""
SHOWN_HEADERS = ("content-type", "location", "retry-after", "etag", "last-modified", "link")


class HttpRequest:
    """`http.request` 1.0.0; it may change the world, whatever the method, so policy treats it as a write."""

    def __init__(self, outbound: Outbound, *, rules: EgressRules) -> None:
        self._exchanges = Exchanges(outbound, rules, bytes_max=ANSWER_BYTES_MAX)

    @property
    def spec(self) -> ToolSpec:
        """What the tool declares."""
        return ToolSpec(
            name="http.request",
            version="1.0.0",
            description="Sends one HTTP request and returns status, some headers and the body. For reading web pages use web.fetch.",
            input_schema={
                "type": "object",
                "properties": {
                    "method": {"enum": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]},
                    "url": {"type": "string", "maxLength": 2000},
                    "headers": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 2000}, "maxProperties": 30},
                    "json": {"description": "the body as JSON"},
                    "text": {"type": "string", "maxLength": BODY_CHARS_MAX, "description": "the body as text, instead of json"},
                    "follow_redirects": {"type": "boolean"},
                },
                "required": ["method", "url"],
                "additionalProperties": False,
            },
            output_schema={
                "type": "object",
                "properties": {
                    "status": {"type": "integer"},
                    "url": {"type": "string"},
                    "headers": {"type": "object"},
                    "json": {},
                    "text": {"type": ["string", "null"]},
                    "truncated": {"type": "boolean"},
                },
                "required": ["status", "url", "headers", "json", "text", "truncated"],
                "additionalProperties": False,
            },
            effect_class=EffectClass.WRITE,
            retry_class=RetryClass.AT_MOST_ONCE,
            timeout_s=30.0,
            bindable=("url",),
            url_arguments=("url",),
            sensitive_arguments=("json", "text", "headers"),
            egress=("*",),
            docs="docs/tools-builtin.md#httprequest",
        )

    async def call(self, call: ToolCall) -> JsonValue:
        """Send it, with the outside key in `Idempotency-Key` where it changes something.

        Raises:
            EgressRefused: the URL, or a redirect, leads where nothing may go.
            ToolFailed: the request cannot be made so. ToolUnavailable: no connection. ToolTimedOut: whether it happened is unknown.
        """
        method, url = str(call.arguments["method"]), str(call.arguments["url"])
        headers, body = _headers(call), _body(call.arguments)
        if body is not None and method in ("GET", "HEAD"):
            raise ToolFailed(f"{method} sends no body", where="/json")
        if method not in ("GET", "HEAD"):
            headers.setdefault("idempotency-key", call.idempotency_key)
        answer = await self._exchanges.send(method, url, headers, body, deadline_s=call.deadline_s)
        if call.arguments.get("follow_redirects"):
            answer = await self._followed(answer, method, headers, deadline_s=call.deadline_s)
        return _told(answer)

    async def _followed(self, answer: Exchanged, method: str, headers: dict[str, str], *, deadline_s: float) -> Exchanged:
        """Go where reads are sent on; what changes something is never sent to a second place.

        Raises:
            ToolFailed: there is no end of it.
        """
        for _ in range(REDIRECTS_MAX):
            if method not in ("GET", "HEAD") or (after := next_hop(answer)) is None:
                return answer
            headers = carried(headers, answer.url, after)
            answer = await self._exchanges.send(method, str(after), headers, None, deadline_s=deadline_s)
        raise ToolFailed(f"the URL leads through more than {REDIRECTS_MAX} redirects", where="/url")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._exchanges.aclose()


def _headers(call: ToolCall) -> dict[str, str]:
    """Return the headers to send.

    Raises:
        ToolFailed: one could change the request's shape.
    """
    headers = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "standfast", "x-correlation-id": call.correlation_id}
    given = call.arguments.get("headers")
    for name, value in (given if isinstance(given, dict) else {}).items():
        text = str(value)
        if not HEADER_NAME.match(name) or name.lower() in OWN_HEADERS:
            raise ToolFailed(f"the header {name[:100]!r} may not be set here", where="/headers")
        if not text.isascii() or not text.isprintable():
            raise ToolFailed(f"the header {name} holds characters that no header can carry", where="/headers")
        headers[name.lower()] = text
    if "json" in call.arguments:
        headers.setdefault("content-type", "application/json")
    elif "text" in call.arguments:
        headers.setdefault("content-type", "text/plain; charset=utf-8")
    return headers


def _body(arguments: dict[str, JsonValue]) -> bytes | None:
    """Return the body, None for none.

    Raises:
        ToolFailed: it is given twice or too large.
    """
    if "json" in arguments and "text" in arguments:
        raise ToolFailed("give the body as json or as text, not both", where="/text")
    if "json" in arguments:
        body = json.dumps(arguments["json"], allow_nan=False, separators=(",", ":")).encode()
        if len(body) > BODY_CHARS_MAX:
            raise ToolFailed(f"the body is larger than {BODY_CHARS_MAX} bytes", where="/json")
        return body
    return str(arguments["text"]).encode() if "text" in arguments else None


def _told(answer: Exchanged) -> JsonValue:
    headers: dict[str, JsonValue] = {name: answer.headers[name] for name in SHOWN_HEADERS if name in answer.headers}
    value: JsonValue = None
    if "json" in answer.headers.get("content-type", "") and not answer.truncated:
        try:
            value = cast("JsonValue", json.loads(answer.body, parse_constant=str))
        except (ValueError, RecursionError):
            value = None
    text = None if value is not None else answer.body.decode("utf-8", errors="replace")
    return {"status": answer.status, "url": answer.url, "headers": headers, "json": value, "text": text, "truncated": answer.truncated}
