"""What agents remember across runs: records, the port of their store, and of what makes vectors of texts. Pure.

Memory is what strangers may have shaped: a record keeps the labels of what it was made from, and whoever recalls it gets `memory` besides.
"""

import re
from collections.abc import Iterable
from typing import Literal, Protocol

from domain.envelope import Usage
from domain.labels import Label, merged
from domain.model import Value
from domain.stores import Page

NAMESPACE = r"^[a-z0-9][a-z0-9_.-]{0,63}$"
RECORD = re.compile(r"mem_[0-9a-z]{26}")
DEFAULT_NAMESPACE = "default"
TEXT_CHARS_MAX = 8000
RESULTS_MAX = 20
RECORDS_MAX = 10_000
"""Most records of one namespace: a search looks at each of them, which takes some 20 ms at that number."""

DIMENSIONS_MAX = 16_000
"""Most numbers of a vector: pgvector's type `vector` holds no more."""

Quarantine = Literal["suspicious", "operator"]
"""Why a record is not recalled: it speaks like an instruction, or a person said so."""

_HIDDEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\U000e0000-\U000e007f]")
_COMMANDS = re.compile(
    r"\b(ignore|disregard|forget|override)\b.{0,40}\b(previous|prior|above|earlier|all|your|other)\b.{0,40}"
    r"\b(instruction|prompt|rule|direction|guideline|polic)|"
    r"\byou (must|should|shall|will) (now|always|from now on)\b|\b(system|developer) (prompt|message|instruction)s?\b|"
    r"</?(system|assistant|instructions?|tool_call)>|\bnew instructions?\s*:|\bdo not (tell|inform|mention|reveal)\b.{0,40}\buser\b",
    re.IGNORECASE | re.DOTALL,
)
"""How texts speak that were written to steer a model (OWASP LLM01, ASI06). A sieve and no proof: labels hold without it."""


class MemoryRecord(Value):
    """A record as it is recalled. `score` is the likeness to what was looked for, 1 for the same text; times are RFC 3339 UTC."""

    record: str
    namespace: str
    text: str
    labels: list[Label]
    run: str
    agent: str | None = None
    saved_at: str
    quarantine: Quarantine | None = None
    score: float | None = None


class NewMemory(Value):
    """A record to keep. `key` names the effect that saves it, so that a repeated attempt finds the same record."""

    tenant: str
    run: str
    namespace: str
    key: str
    text: str
    labels: list[Label]
    agent: str | None = None


class SavedMemory(Value):
    """A record that was kept, and what its vector cost."""

    record: MemoryRecord
    usage: Usage = Usage()


class Recall(Value):
    """What a search found, best first, and what it cost.

    `unsearched` is how many records of the namespace could not be compared: their vectors are still another embedder's.
    """

    records: list[MemoryRecord]
    unsearched: int = 0
    usage: Usage = Usage()


class Embedded(Value):
    """The vectors of some texts, in their order, each of length 1, with what they cost.

    `embedder` names what made them and how many numbers they have: vectors are compared only where it is the same. A vector is None where
    the embedder takes no such text, and `refusal` then says why.
    """

    embedder: str
    vectors: list[list[float] | None]
    refusal: str = ""
    usage: Usage = Usage()


class Embedder(Protocol):
    """Makes vectors of texts; texts that are alike, by words or by meaning, point the same way."""

    async def embed(self, texts: list[str]) -> Embedded:
        """Return a vector for each text, of which there is at least one.

        Raises:
            ToolUnavailable: another attempt may help. ToolFailed: it will not.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


class Memory(Protocol):
    """The records of tenants, by namespace."""

    async def save(self, memory: NewMemory) -> SavedMemory:
        """Keep a text; what is suspicious is kept in quarantine. Raises: InvalidInput (full), ToolFailed, ToolUnavailable."""
        ...

    async def search(self, tenant: str, namespace: str, query: str, *, limit: int) -> Recall:
        """Return the records most like a text, best first, without those in quarantine. Raises: ToolFailed, ToolUnavailable."""
        ...


class MemoryDesk(Protocol):
    """What people see and decide of a tenant's memory."""

    async def page(self, tenant: str, *, namespace: str | None, quarantined: bool, limit: int, cursor: str | None) -> Page[MemoryRecord]:
        """Return one page by id, records in quarantine too; `quarantined` leaves out the others. Raises: BadRequest."""
        ...

    async def review(self, tenant: str, record: str, *, quarantine: Quarantine | None, by: str) -> MemoryRecord:
        """Put a record into quarantine, or let it out. Raises: NotFound."""
        ...

    async def forget(self, tenant: str, record: str) -> None:
        """Remove a record. Raises: NotFound."""
        ...


def suspicion(text: str) -> Quarantine | None:
    """Return why a text is kept from being recalled until a person has looked at it, None when nothing speaks against it."""
    return "suspicious" if _HIDDEN.search(text) or _COMMANDS.search(text) else None


def labels_of_save(behind: Iterable[Label], *, agent: bool) -> list[Label]:
    """Return the labels of what is saved: all that lies behind the call; where that is not known, an agent may have read anything."""
    known = merged(behind)
    return known or merged(["model", "tool:untrusted"] if agent else ["definition", "user"])
