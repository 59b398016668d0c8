"""Runs: start, look, wait, cancel, result, trace."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote

from pydantic import JsonValue

from standfast_client.errors import RunFailedError, WaitTimedOutError
from standfast_client.exchange import Flow, Link, Pause, get, parse, plain, post
from standfast_client.flows.paging import paged
from standfast_client.models import JsonInput, Run, RunAccepted, RunOutcome, Trace

LONG_POLL_S = 20.0
"""How long the gateway is asked to hold one request for a result."""

_POLL_FIRST_S = 0.1
_POLL_MAX_S = 1.0
_ANSWER_MARGIN_S = 10.0


def run_path(run: str) -> str:
    """Return the path of a run."""
    return f"/runs/{quote(run, safe='')}"


def start(
    link: Link,
    definition: str,
    value: JsonInput,
    *,
    version: str | None,
    config: Mapping[str, JsonInput] | None,
    subject: str | None,
    idempotency_key: str | None,
) -> Flow[str]:
    """Start a run and return its id."""
    body: dict[str, JsonValue] = {"definition": f"{definition}@{version}" if version else definition, "input": plain(value)}
    if config:
        body["config"] = plain(config)
    if subject is not None:
        body["subject"] = subject
    request = post("/runs", body, idempotency_key=idempotency_key)
    return parse((yield from link.ask(request)), RunAccepted).run


def fetch(link: Link, run: str) -> Flow[Run]:
    """Read a run."""
    return parse((yield from link.ask(get(run_path(run)))), Run)


def listed(link: Link, *, status: str | Sequence[str] | None, definition: str | None, limit: int) -> Flow[list[Run]]:
    """Read runs, newest first, up to `limit`."""
    return (yield from paged(link, "/runs", Run, limit, status=status, definition=definition))


def cancel(link: Link, run: str, *, reason: str, idempotency_key: str | None) -> Flow[Run]:
    """Ask a run to stop and undo what it did."""
    yield from link.ask(post(f"{run_path(run)}/cancel", {"reason": reason or None}, idempotency_key=idempotency_key))
    return (yield from fetch(link, run))


def trace(link: Link, run: str) -> Flow[Trace]:
    """Read a run's effects."""
    return parse((yield from link.ask(get(f"{run_path(run)}/trace"))), Trace)


def wait(link: Link, run: str, *, timeout_s: float | None) -> Flow[Run]:
    """Wait until a run has ended, and read it then.

    Raises:
        WaitTimedOutError: It had not ended after `timeout_s` seconds.
    """
    yield from _closed(link, run, timeout_s)
    return (yield from fetch(link, run))


def result(link: Link, run: str, *, timeout_s: float | None) -> Flow[JsonValue]:
    """Wait until a run has ended and return its result.

    Raises:
        RunFailedError: It ended otherwise.
        WaitTimedOutError: It had not ended after `timeout_s` seconds.
    """
    ended = yield from _closed(link, run, timeout_s)
    if ended.status == "succeeded":
        return ended.result
    error = ended.error
    raise RunFailedError(run, ended.status, code=error.code if error else None, detail=error.detail if error else "")


def changed(link: Link, run: str, last: Run | None, *, deadline: float | None) -> Flow[Run]:
    """Wait until a run's status, reason or what it waits for is other than in `last`, and read it.

    Raises:
        WaitTimedOutError: Nothing changed until `deadline`, a value of `time.monotonic`.
    """
    pause_s = _POLL_FIRST_S
    while True:
        now = yield from fetch(link, run)
        if last is None or now.closed or _place(now) != _place(last):
            return now
        if deadline is not None and time.monotonic() + pause_s > deadline:
            raise WaitTimedOutError(f"run {run} is still {now.status}; it goes on, and `standfast runs {run}` shows it")
        yield Pause(pause_s)
        pause_s = min(pause_s * 1.5, _POLL_MAX_S)


def _place(run: Run) -> tuple[str, str | None, str | None]:
    return run.status, run.reason, run.waits_for


def _closed(link: Link, run: str, timeout_s: float | None) -> Flow[RunOutcome]:
    """Ask for the result, each time held by the gateway for a while, until the run has ended.

    Raises:
        WaitTimedOutError: It had not ended after `timeout_s` seconds.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while True:
        left = LONG_POLL_S if deadline is None else max(0.0, min(LONG_POLL_S, deadline - time.monotonic()))
        request = replace(get(f"{run_path(run)}/result", wait=f"{left:.3f}"), read_timeout_s=left + _ANSWER_MARGIN_S)
        asked_at = time.monotonic()
        state = parse((yield from link.ask(request)), RunOutcome)
        if state.closed:
            return state
        if deadline is not None and time.monotonic() >= deadline:
            raise WaitTimedOutError(f"run {run} is still {state.status} after {timeout_s} s; it goes on")
        if time.monotonic() - asked_at < _POLL_FIRST_S:
            # A gateway that does not hold the request must not be asked in a tight loop.
            yield Pause(_POLL_FIRST_S)
