"""Data subjects: whose data a run holds, and how it is erased, anonymised, kept or purged (JOURNAL §4). Pure: values, ports, pseudonyms.

A run has one data subject, whose key seals all its content. A run without a named one is its own, so it can be erased alone.
"""

import hashlib
import hmac
import unicodedata
from typing import Annotated, Literal, Protocol

from pydantic import Field, StringConstraints

from domain.errors import InvalidInput
from domain.ids import CROCKFORD, format_id, parse_id
from domain.model import Value
from domain.stores import Page

SUBJECT_CHARS_MAX = 200
"""Longest name of a data subject: an account number, a passenger id, an address."""

RemovalMode = Literal["erase", "anonymise", "purge"]
HoldScope = Literal["tenant", "definition", "subject", "run"]
KeepDays = Annotated[int, Field(ge=1, le=36500)]
HoldReason = Annotated[str, StringConstraints(min_length=1, max_length=500)]


def subject_pseudonym(key: bytes, name: str) -> str:
    """Return how a data subject is written down: ids of runs and pseudonyms as they are, any other name as an HMAC under the tenant's key.

    Names are compared after Unicode NFC and without blanks around them, and with their case.

    Raises:
        InvalidInput: the name is empty or longer than 200 characters.
    """
    name = unicodedata.normalize("NFC", name).strip()
    if not 1 <= len(name) <= SUBJECT_CHARS_MAX:
        raise InvalidInput(f"a data subject's name has 1 to {SUBJECT_CHARS_MAX} characters, this one has {len(name)}", where="/subject")
    if is_pseudonym(name) or _is_id(name, "run"):
        return name
    return format_id("sub", hmac.new(key, name.encode(), hashlib.sha256).digest()[:16])


def is_pseudonym(text: str) -> bool:
    """Tell whether a text is a data subject's pseudonym."""
    return _is_id(text, "sub")


def _is_id(text: str, prefix: str) -> bool:
    body = text.removeprefix(f"{prefix}_")
    return body != text and len(body) == 26 and all(each in CROCKFORD for each in body) and parse_id(text, prefix) == text


class Contents(Value):
    """What is stored for some runs; counts of rows."""

    payloads: int = 0
    messages: int = 0
    approvals: int = 0
    tasks: int = 0


class LegalHold(Value):
    """A legal hold. `name` is a run, a data subject's pseudonym or a definition; '' when the whole tenant is held."""

    hold: str
    scope: HoldScope
    name: str
    reason: str
    placed_by: str
    placed_at: str
    released_by: str | None = None
    released_at: str | None = None


class RemovalPlan(Value):
    """What a removal would take, and what forbids it now: open runs, and legal holds."""

    subject: str | None
    runs: tuple[str, ...]
    open_runs: tuple[str, ...]
    holds: tuple[str, ...]
    subject_keys: int
    contents: Contents

    @property
    def allowed(self) -> bool:
        """Whether nothing forbids it."""
        return not self.open_runs and not self.holds


class Removal(Value):
    """A removal that was done: the certificate. `completed_at` is None while objects and Temporal histories still go."""

    erasure: str
    mode: RemovalMode
    subject: str | None
    requested_by: str
    requested_at: str
    completed_at: str | None
    runs: int
    subject_keys: int
    contents: Contents
    answers: int
    objects: int
    histories: int


class CertificateEntry(Value):
    """Where a run's ledger says what was removed: the entry's sequence and hash in hex."""

    run: str
    seq: int
    kind: str
    hash: str


class RemovalOrder(Value):
    """An erasure to do. `replacement` is the new pseudonym of an anonymisation, told to nobody and derived from nothing."""

    tenant: str
    subject: str
    erasure: str
    mode: Literal["erase", "anonymise"]
    replacement: str | None = None
    principal: str
    at: str


class PurgeOrder(Value):
    """A purge to do: of all runs whose term is over, at most `limit`, or of one run."""

    tenant: str
    erasure: str
    run: str | None = None
    limit: int = 500
    principal: str
    at: str


class RetentionRule(Value):
    """How many days closed runs of a definition keep their content; `definition` '' is every definition without a rule of its own."""

    definition: str
    keep_days: int
    set_by: str
    set_at: str


class Residue(Value):
    """A removed run whose objects and Temporal histories are still there."""

    run: str
    erasure: str
    epoch: int | None


class RemovalStore(Protocol):
    """Removes content: rows and keys at once, in one transaction with the ledger entries that say so."""

    async def plan(self, tenant: str, subject: str) -> RemovalPlan:
        """Return what erasing a data subject would take. Raises: NotFound when it has no run with content."""
        ...

    async def erase(self, order: RemovalOrder) -> Removal:
        """Destroy the key, remove the content. Raises: NotFound, ErasureRefused (an open run), UnderLegalHold."""
        ...

    async def purge_plan(self, tenant: str, *, run: str | None, limit: int) -> RemovalPlan:
        """Return what a purge would take now. Raises: NotFound, InsideTerm, UnderLegalHold for one run that may not go."""
        ...

    async def purge(self, order: PurgeOrder) -> Removal | None:
        """Remove what is over its term; None when nothing is. Raises: as `purge_plan`."""
        ...

    async def get(self, tenant: str, erasure: str) -> tuple[Removal, tuple[CertificateEntry, ...]]:
        """Return one removal and where the ledgers say so. Raises: NotFound."""
        ...

    async def page(self, tenant: str, *, limit: int, cursor: str | None) -> Page[Removal]:
        """Return one page, oldest first."""
        ...

    async def residues(self, tenant: str, *, limit: int) -> list[Residue]:
        """Return removed runs whose objects and histories are still there."""
        ...

    async def counted(self, tenant: str, residue: Residue, *, objects: int, histories: int) -> None:
        """Remember how much there is to go, before anything goes; the first count stands, whoever tries again."""
        ...

    async def cleared(self, tenant: str, residue: Residue, *, at: str) -> None:
        """Remember, in the run's ledger too, that nothing is left of a run, and how much there was."""
        ...

    async def known_refs(self, tenant: str, refs: list[str]) -> set[str]:
        """Return those references that a payload row has: an object without one is an orphan."""
        ...


class RetentionStore(Protocol):
    """Retention rules and legal holds."""

    async def rules(self, tenant: str) -> list[RetentionRule]:
        """Return all rules, the one for every definition first."""
        ...

    async def set_rule(self, tenant: str, definition: str, keep_days: int | None, *, principal: str) -> None:
        """Set or, with None, remove a rule."""
        ...

    async def holds(self, tenant: str, *, standing: bool) -> list[LegalHold]:
        """Return holds, oldest first; `standing` leaves out the released ones."""
        ...

    async def place_hold(self, tenant: str, hold: LegalHold) -> LegalHold:
        """Place a hold. Raises: NotFound when it names a run that is not there."""
        ...

    async def release_hold(self, tenant: str, hold: str, *, principal: str) -> LegalHold:
        """Release a hold; a released one stays as it is. Raises: NotFound."""
        ...
