"""JSON shapes of erasures and retention."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from domain.model import Value
from domain.subjects import (
    SUBJECT_CHARS_MAX,
    CertificateEntry,
    Contents,
    HoldReason,
    HoldScope,
    KeepDays,
    LegalHold,
    Removal,
    RetentionRule,
)

SubjectName = Annotated[str, StringConstraints(min_length=1, max_length=SUBJECT_CHARS_MAX)]
DefinitionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,99}$")]
RunName = Annotated[str, StringConstraints(pattern=r"^run_[0-9a-hjkmnp-tv-z]{26}$")]
PurgeRuns = Annotated[int, Field(ge=1, le=5000)]


class ErasureBody(Value):
    """An erasure: `subject` is the name that runs were started with, a run, or a pseudonym. `dry_run` only shows what would go."""

    subject: SubjectName
    mode: Literal["erase", "anonymise"] = "erase"
    dry_run: bool = False


class PlanView(Value):
    """What a removal would take. `open_runs` and `holds` forbid it while they stand."""

    dry_run: Literal[True] = True
    allowed: bool
    subject: str | None
    runs: tuple[str, ...]
    open_runs: tuple[str, ...]
    holds: tuple[str, ...]
    subject_keys: int
    contents: Contents


class RemovalView(Removal):
    """A removal that was done; `certificate` names the ledger entries that say so, at most 1,000."""

    dry_run: Literal[False] = False
    certificate: tuple[CertificateEntry, ...] = ()


class RetentionView(Value):
    """The rules and the standing legal holds of a tenant."""

    rules: tuple[RetentionRule, ...]
    holds: tuple[LegalHold, ...]


class RuleBody(Value):
    """A rule: closed runs of `definition` (null: of every definition without one) keep their content so many days; null: for ever."""

    definition: DefinitionName | None = None
    keep_days: KeepDays | None = None


class PurgeBody(Value):
    """A purge of everything whose term is over, at most `limit` runs at once, or of one run."""

    run: RunName | None = None
    dry_run: bool = False
    limit: PurgeRuns = 500


class PurgeNothing(Value):
    """The answer when nothing is over its term."""

    dry_run: Literal[False] = False
    erasure: None = None
    runs: Literal[0] = 0


class HoldBody(Value):
    """A legal hold on a run, on a data subject (by name or pseudonym), on a definition's runs, or on the whole tenant."""

    scope: HoldScope
    name: Annotated[str, StringConstraints(max_length=SUBJECT_CHARS_MAX)] = ""
    reason: HoldReason
