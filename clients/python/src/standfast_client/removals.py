"""What the gateway answers about erasures and retention. Counts are of rows."""

from standfast_client.models import Received


class Contents(Received):
    """What was, or would be, removed."""

    payloads: int = 0
    messages: int = 0
    approvals: int = 0
    tasks: int = 0


class RemovalPlan(Received):
    """What a removal would take; open runs and legal holds forbid it while they stand."""

    allowed: bool
    subject: str | None
    runs: tuple[str, ...]
    open_runs: tuple[str, ...]
    holds: tuple[str, ...]
    subject_keys: int
    contents: Contents


class CertificateEntry(Received):
    """The ledger entry that says what was removed: its run, sequence, kind, and hash in hex."""

    run: str
    seq: int
    kind: str
    hash: str


class Removal(Received):
    """A removal that was done: the certificate. `completed_at` is None while objects and Temporal histories still go."""

    erasure: str
    mode: str
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
    certificate: tuple[CertificateEntry, ...] = ()


class PurgeAnswer(Received):
    """The answer to a purge; `erasure` is None when nothing was over its term."""

    erasure: str | None
    runs: int


class RetentionRule(Received):
    """How many days closed runs of a definition keep their content; definition '' is every one without a rule."""

    definition: str
    keep_days: int
    set_by: str
    set_at: str


class LegalHold(Received):
    """A legal hold: nothing in its scope is removed while it stands."""

    hold: str
    scope: str
    name: str
    reason: str
    placed_by: str
    placed_at: str
    released_by: str | None = None
    released_at: str | None = None


class Retention(Received):
    """The rules of a tenant and the holds that stand."""

    rules: tuple[RetentionRule, ...]
    holds: tuple[LegalHold, ...]
