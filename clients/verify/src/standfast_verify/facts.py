"""What the bodies of a run promise: canonical JSON, facts counted without gaps, and the commitment of the entry that ends the run.

A run's facts are numbered from 1. `workflow:run:finished` says in its `data` how many there are, itself included (`facts`), and the digest
of the one before it (`last_digest`): so a chain that was cut and hashed anew still lacks something that it promised.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import cast

from standfast_verify.bundle import Entry
from standfast_verify.canonical import canonical_text, decoded
from standfast_verify.findings import Problem

FINISHED = "workflow:run:finished"
FACT_DOMAIN = b"standfast:fact:v1\x00"

Body = dict[str, object]


def body_problems(entries: Sequence[Entry]) -> Iterator[Problem]:
    """Yield what is wrong with the bodies of one run, whose chain holds."""
    facts = _Facts()
    for entry in entries:
        body, problem = _body(entry)
        if problem is not None:
            yield problem
        if body is not None:
            yield from facts.problems(entry, body)


def is_finished(entries: Sequence[Entry]) -> bool:
    """Whether a run, whose bodies hold, says that it ended."""
    needle = f'"kind":"{FINISHED}"'.encode()
    return any(needle in entry.body for entry in entries)


def _body(entry: Entry) -> tuple[Body | None, Problem | None]:
    try:
        value, fault = decoded(entry.body)
    except ValueError as error:
        return None, Problem(run=entry.run, seq=entry.seq, reason="its body is no JSON", found=str(error))
    if fault is not None:
        return None, Problem(run=entry.run, seq=entry.seq, reason="its body is not in canonical form (RFC 8785)", found=fault)
    if not isinstance(value, dict):
        return None, Problem(run=entry.run, seq=entry.seq, reason="its body is no JSON object")
    return cast("Body", value), None


class _Facts:
    """Counts the facts of one run."""

    def __init__(self) -> None:
        self._count = 0
        self._last: Body | None = None

    def problems(self, entry: Entry, body: Body) -> Iterator[Problem]:
        """Take the next entry and yield what is wrong with it as a fact."""
        place = body.get("fact_seq")
        if place is None:
            return
        if type(place) is not int or place < 1:
            yield Problem(run=entry.run, seq=entry.seq, reason="its fact number is none", found=repr(place))
            return
        if place != self._count + 1:
            yield self._gap(entry, place)
        elif body.get("kind") == FINISHED:
            yield from self._commitment(entry, place, body)
        self._count, self._last = place, body

    def _gap(self, entry: Entry, place: int) -> Problem:
        first, last = self._count + 1, place - 1
        if place <= self._count:
            reason = "its fact number was there before"
        else:
            reason = f"fact {first} of the run is missing" if first == last else f"facts {first} to {last} of the run are missing"
        return Problem(run=entry.run, seq=entry.seq, reason=reason, expected=f"fact {first}", found=f"fact {place}")

    def _commitment(self, entry: Entry, place: int, body: Body) -> Iterator[Problem]:
        raw = body.get("data")
        data = cast("Body", raw) if isinstance(raw, dict) else {}
        if data.get("facts") != place:
            reason = "it ends the run and commits to another number of facts"
            yield Problem(run=entry.run, seq=entry.seq, reason=reason, expected=f"{data.get('facts')!r} facts", found=f"{place} facts")
        digests = [""] if self._last is None else _fact_digests(self._last)
        if data.get("last_digest") not in digests:
            reason = "it ends the run and commits to another fact before it"
            yield Problem(run=entry.run, seq=entry.seq, reason=reason, expected=f"{data.get('last_digest')!r}", found=digests[0])


def _fact_digests(body: Body) -> list[str]:
    """Return the digests that the fact of a body can have: a fact names its principal only when it is not the run's."""
    fact: Body = {name: body.get(name) for name in ("at", "call", "data", "epoch", "kind", "step", "visit")}
    fact["seq"] = body.get("fact_seq")
    return [
        hashlib.sha256(FACT_DOMAIN + canonical_text({**fact, "principal": principal}).encode()).hexdigest()
        for principal in (None, body.get("principal"))
    ]
