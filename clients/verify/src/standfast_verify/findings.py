"""What a check found: problems, each with its place, and the report over all of them."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class BadInput(Exception):
    """A file that cannot be read as what it should be; the message says where and what was expected."""


def counted(count: int, one: str, many: str) -> str:
    """Return a number with its noun."""
    return f"{count} {one if count == 1 else many}"


class Verdict(StrEnum):
    """The answer in one word; the only list."""

    VERIFIED = "verified"
    SELF_CONSISTENT = "self-consistent"
    NOT_VERIFIED = "not verified"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong, and where.

    Attributes:
        reason: What is wrong, in a sentence.
        expected: What a whole bundle has there.
        found: What this one has.
        run: The run, for problems of an entry or of a whole run.
        seq: The entry's sequence; of a missing entry, the one it would have.
        tree_size: Size of the tree head, for problems of heads and of proofs between them.
        leaf_index: The first leaf of the log that is missing, for problems of a cut log.
        key_id: The public key, for problems of keys.
    """

    reason: str
    expected: str = ""
    found: str = ""
    run: str | None = None
    seq: int | None = None
    tree_size: int | None = None
    leaf_index: int | None = None
    key_id: str | None = None

    def place(self) -> str:
        """Return where it is, as a person would say it."""
        if self.seq is not None:
            return f"entry {self.seq} of {self.run}"
        if self.run is not None:
            return f"run {self.run}"
        if self.leaf_index is not None:
            return f"leaf {self.leaf_index} of the log"
        if self.tree_size is not None:
            return f"tree head of size {self.tree_size}"
        return f"public key {self.key_id}" if self.key_id is not None else "bundle"

    def lines(self) -> list[str]:
        """Return the lines for the screen."""
        shown = [f"{self.place()}: {self.reason}"]
        shown += [f"  {name} {value}" for name, value in (("expected", self.expected), ("found   ", self.found)) if value]
        return shown


@dataclass(kw_only=True)
class Report:
    """What was checked and what was found.

    Attributes:
        tenant: Whose ledger it is.
        runs: Number of runs.
        entries: Number of entries.
        sealed: How many of them are leaves of the signed tree.
        heads: Number of signed tree heads.
        tree_size: Size of the newest head's tree; 0 without heads.
        root_hash: Its root in hex; empty without heads.
        signed_at_us: When it was signed, microseconds since 1970; 0 without heads.
        trusted: Whether the keys came from the caller, apart from the bundle.
        remembered: How many remembered heads were compared.
        problems: What is wrong, in the order of the checks: the chain first.
        notes: What this bundle cannot prove by its nature.
    """

    tenant: str
    runs: int = 0
    entries: int = 0
    sealed: int = 0
    heads: int = 0
    tree_size: int = 0
    root_hash: str = ""
    signed_at_us: int = 0
    trusted: bool = False
    remembered: int = 0
    problems: list[Problem] = field(default_factory=list[Problem])
    notes: list[str] = field(default_factory=list[str])

    @property
    def verdict(self) -> Verdict:
        """The answer: wrong, right by its own keys, or right by keys the caller trusts."""
        if self.problems:
            return Verdict.NOT_VERIFIED
        return Verdict.VERIFIED if self.trusted else Verdict.SELF_CONSISTENT

    def to_json(self) -> dict[str, Any]:  # Any: JSON
        """Return the report for `--json`."""
        return {"verdict": self.verdict.value, **asdict(self)}
