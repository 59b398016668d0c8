"""A run's events while it runs: what they hold, how they are read off the wire, and how a lost stream is taken up again. No I/O."""

import json
import time
from collections.abc import Generator
from dataclasses import replace
from typing import Literal, cast
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from standfast_client.errors import ApiError, GatewayUnreachableError, UnexpectedAnswerError
from standfast_client.exchange import Answer, Flow, Link, Lost, Pause, Request, get, problem

PATIENCE_S = 60.0
"""How long a gateway may be away before following a run gives up."""

SILENCE_S_MAX = 45.0
"""How long nothing may come before the connection counts as lost; the gateway sends a comment after 15 seconds of silence."""

_KINDS = ("entry", "delta", "reset", "end")
_LATER = frozenset({429, 500, 502, 503, 504})


class RunEvent(BaseModel):
    """One thing that a run did.

    Attributes:
        kind: `entry`: the ledger grew. `delta`: a piece of a model's answer. `reset`: the deltas of that attempt are void, forget them.
            `end`: the run has ended.
        id: Where to go on after this event.
        what: The entry's kind, such as `agent:model:answered`, or the delta's: `text`, `reasoning`, `tool_arguments`.
        step: The step's path; with `visit` and `call` it says which model call it is, with `attempt` which try.
        text: The delta's text; with the entry of an answer its whole text, which replaces the deltas.
        index: Place of the tool call in the turn, from 0.
        name: The tool, with the first delta of a call.
        sequence: The entry's place in the ledger.
        data: The entry's data.
        calls: With the entry of an answer: the tools that the model called, with their arguments; `stop` is
            `refused` or `length` where the model did not end by itself.
        output: With the entry of a tool's call: what it gave; `output_bytes` instead if that is more than 64 KiB.
            `request_sha256` is the digest of the tool, its version and the arguments.
        status: How the run ended.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["entry", "delta", "reset", "end"]
    id: str
    what: str = ""
    step: str = ""
    visit: int = 1
    call: str = ""
    attempt: int = 1
    text: str | None = None
    index: int = 0
    name: str | None = None
    sequence: int | None = None
    at: str | None = None
    principal: str | None = None
    data: dict[str, JsonValue] = Field(default={})
    calls: list[dict[str, JsonValue]] = Field(default=[])
    stop: str | None = None
    output: JsonValue = None
    output_bytes: int | None = None
    request_sha256: str | None = None
    status: str | None = None


class EventReader:
    """Reads server-sent events from bytes, however they are cut (WHATWG HTML §9.2.6)."""

    def __init__(self) -> None:
        """Begin with an empty stream."""
        self._rest = b""
        self._fields: dict[str, str] = {}

    def read(self, part: bytes) -> Generator[RunEvent]:
        """Yield the events that are complete with this part.

        Raises:
            UnexpectedAnswerError: one has another form.
        """
        *lines, self._rest = (self._rest + part).split(b"\n")
        for line in lines:
            text = line.decode(errors="replace").removesuffix("\r")
            if text:
                name, _, value = text.partition(":")
                value = value.removeprefix(" ")
                if name:
                    self._fields[name] = f"{self._fields['data']}\n{value}" if name == "data" and "data" in self._fields else value
                continue
            fields, self._fields = self._fields, {}
            if fields.get("event") in _KINDS and "data" in fields:
                yield _event(fields)


class Following:
    """Follows one run over as many connections as it takes; the same for both clients."""

    def __init__(self, link: Link, run: str, *, after: str | None, patience_s: float | None) -> None:
        """Begin after the event with id `after`, or with the first."""
        self.ended = False
        self._link = link
        self._run = run
        self._last = after
        self._patience_s = PATIENCE_S if patience_s is None else patience_s
        self._failed = 0
        self._heard_at = time.monotonic()
        self._why: Answer | Lost | None = None
        self._reader = EventReader()

    def request(self) -> Request:
        """Return what to ask now."""
        self._reader, self._why = EventReader(), None
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": self._last} if self._last else {})
        return replace(get(f"/runs/{quote(self._run, safe='')}/events"), headers=headers, read_timeout_s=SILENCE_S_MAX)

    def take(self, part: Answer | Lost | bytes) -> Generator[RunEvent]:
        """Yield the events of what came.

        Raises:
            ApiError: the gateway refuses for good.
        """
        if isinstance(part, bytes):
            for event in self._reader.read(part):
                self._last, self.ended = event.id, event.kind == "end"
                self._failed, self._heard_at = 0, time.monotonic()
                yield event
        elif isinstance(part, Lost):
            self._why = part
        elif part.status == 204:
            self.ended = True
        elif part.status in _LATER:
            self._why = part
        elif part.status >= 400:
            raise self._failure(part)
        else:
            self._heard_at = time.monotonic()

    def again(self) -> Flow[None]:
        """Wait before the next connection.

        Raises:
            GatewayUnreachableError, ApiError: the gateway was away for too long.
        """
        if self.ended:
            return
        if self._why is not None and time.monotonic() - self._heard_at >= self._patience_s:
            raise self._failure(self._why)
        self._failed += 1
        yield Pause(min(2.0, self._link.policy.delay_s(min(self._failed, 10), None)))

    def _failure(self, why: Answer | Lost) -> ApiError | GatewayUnreachableError:
        if isinstance(why, Answer):
            return problem(why)
        return GatewayUnreachableError(f"the gateway at {self._link.url} is away, and run {self._run} goes on: {why.reason}")


def _event(fields: dict[str, str]) -> RunEvent:
    try:
        told = cast("dict[str, JsonValue]", json.loads(fields["data"]))
        return RunEvent.model_validate({**told, "what": told.get("kind", ""), "kind": fields["event"], "id": fields.get("id", "")})
    except (ValueError, TypeError) as error:
        raise UnexpectedAnswerError(f"an event of the gateway cannot be read: {fields['data'][:200]}") from error
