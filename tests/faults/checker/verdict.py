"""What the checker is told to judge, and what it says."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]  # Any: evidence is raw; each reader takes what it knows


@dataclass(frozen=True)
class Evidence:
    """The raw evidence of one scenario, in one folder.

    Attributes:
        folder: Has `bank.sqlite`, `mail.sqlite`, `requests.jsonl` and `temporal.json` (the ids of open workflows).
        database: URL of the database, as its superuser.
        effects: What one whole run leaves in the bank and the mail, by kind: `{"reservation": 1, …}`.
        claims: Claim id → what the scenario asked for: `amount`, and `fails` when a step was made to fail.
    """

    folder: Path
    database: str
    effects: dict[str, int]
    claims: dict[str, Json]

    @classmethod
    def read(cls, folder: Path) -> "Evidence":
        """Read `evidence.json`."""
        told = json.loads((folder / "evidence.json").read_text(encoding="utf-8"))
        return cls(folder, told["database"], told["effects"], told["claims"])

    def acknowledged(self) -> list[Json]:
        """Return the client's log of answers with a 2xx, each `{path, key, status, body}`."""
        log = self.folder / "requests.jsonl"
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        return [line for line in map(json.loads, lines) if 200 <= line["status"] < 300]

    def answers(self) -> list[Json]:
        """Return the client's log of all answers."""
        log = self.folder / "requests.jsonl"
        return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


@dataclass
class Verdict:
    """Counts of what was looked at, and one line per violation."""

    counts: dict[str, int] = field(default_factory=dict[str, int])
    violations: list[str] = field(default_factory=list[str])

    def count(self, what: str, number: int = 1) -> None:
        """Add to a count."""
        self.counts[what] = self.counts.get(what, 0) + number

    def breach(self, line: str) -> None:
        """Note a violation."""
        self.violations.append(line)

    def require(self, holds: bool, line: str) -> None:  # noqa: FBT001 - reads as an assertion
        """Note a violation unless the condition holds."""
        if not holds:
            self.breach(line)
