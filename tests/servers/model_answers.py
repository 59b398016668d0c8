"""What a test tells the model server to answer, whatever the wire protocol."""

import threading
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue


@dataclass(frozen=True)
class PlannedCall:
    """One tool call of an answer, by our own name; `raw` is sent as the argument text as it is, JSON or not."""

    name: str
    arguments: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    raw: str | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer.

    `status` ≥400 answers with the vendor's error body and `headers`. `body` is sent instead of the vendor's JSON. `hang` answers only
    when the server is told to `release`, `after` when that event is set. For streams: `cut_after` breaks the connection after so many
    events, `end_after` ends the stream there politely, `error_after` sends the vendor's error event there with `error_kind`. `reasoning`
    is streamed before the text. `cached_tokens` and `cache_write_tokens` are parts of `input_tokens`. `pieces` is in how many pieces a
    text streams, with `pause_s` before each event.
    """

    text: str = ""
    reasoning: str = ""
    calls: tuple[PlannedCall, ...] = ()
    stop: Literal["answered", "refused", "length"] = "answered"
    input_tokens: int = 11
    output_tokens: int = 7
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    status: int = 200
    message: str = "the test asked for this error"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None
    hang: bool = False
    after: threading.Event | None = None
    cut_after: int | None = None
    end_after: int | None = None
    error_after: int | None = None
    error_kind: str = "overloaded_error"
    pieces: int = 2
    pause_s: float = 0.0


@dataclass(frozen=True)
class SeenRequest:
    """One request as it came; header names are in lower case."""

    path: str
    headers: dict[str, str]
    body: dict[str, object]
