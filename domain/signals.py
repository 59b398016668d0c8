"""Signals that a run listens for: what travels, what is kept until somebody listens, and who gets what. Pure.

A signal is named, carries a small JSON payload and an id: the same id counts once in a run. One that comes before its step listens is
kept in the run's state, over continue-as-new too. Only as many as `KEPT_MAX` are, and only the last `KNOWN_MAX` ids are remembered.
"""

import hashlib
import hmac
import re
from typing import Annotated, Final, Protocol

from pydantic import JsonValue, StringConstraints

from domain.model import Value, Wire

SIGNAL_BYTES_MAX = 8 * 1024
"""Most bytes of canonical JSON in a payload: it stands in the run's history and may be kept in its state (JOURNAL §7)."""

KEPT_MAX = 16
"""Most signals that wait in a run's state, within `KEPT_BYTES_MAX` together."""

KEPT_BYTES_MAX = 32 * 1024
"""The state has 64 KiB in all (DESIGN §15)."""

KNOWN_MAX = 256
"""So many ids are remembered; a sender repeats one within minutes, not after hundreds of others."""

_NAME: Final = r"^[a-z][a-z0-9]*([._-][a-z0-9]+)*$"
NAME_CHARS_MAX: Final = 63
SignalName = Annotated[str, StringConstraints(pattern=_NAME, max_length=NAME_CHARS_MAX)]
"""Names of signals."""

RESERVED: Final = frozenset({"approve", "complete_task", "deliver_signal"})
"""Names that mean something else on the wire."""


def is_signal_name(text: str) -> bool:
    """Whether a step may listen for this name."""
    return re.fullmatch(_NAME, text) is not None and len(text) <= NAME_CHARS_MAX and text not in RESERVED


class Signal(Wire):
    """One signal as it travels; `key` is what the listening step's `correlate` must equal, None for any.

    `ref` names the payload in the database, which outlives the history. `source` is who sent it: a principal or a hook.
    """

    id: str
    name: str
    payload: JsonValue = None
    key: str | None = None
    ref: str | None = None
    source: str = ""


class ListenerProjection(Value):
    """A step that listens, as the database knows it: `hash` is of signal and key, so that the key itself is not stored in plain text."""

    step: str
    visit: int
    signal: str
    hash: str
    opened: bool


class ListenerStore(Protocol):
    """Where steps that listen are known, so that a signal from outside finds its run."""

    async def keep(self, tenant: str, run: str, listener: ListenerProjection, *, epoch: int, fact_seq: int) -> None:
        """Open or close a listener; what was said at a later (epoch, fact_seq) stays. Raises: NotFound for an unknown run."""
        ...


def fits(signal: Signal, *, name: str, key: str | None) -> bool:
    """Whether a step that listens for `name` with `key` takes this signal."""
    return signal.name == name and signal.key in (None, key)


def listener_hash(secret: bytes, *, tenant: str, signal: str, key: str) -> str:
    """Return the HMAC-SHA-256 in hex by which a signal from outside finds the step that listens for it."""
    return hmac.new(secret, f"standfast:listener:v1\0{tenant}\0{signal}\0{key}".encode(), hashlib.sha256).hexdigest()
