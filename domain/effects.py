"""Effects: keys, classes, request digests, and the port of the effect journal (JOURNAL §2). Pure."""

from enum import StrEnum
from typing import Protocol

from pydantic import JsonValue

from domain.budget import Charge
from domain.canonical import digest_hex
from domain.envelope import Usage
from domain.facts import Fact
from domain.model import Value


class EffectClass(StrEnum):
    """What a call does to the outside."""

    NONE = "none"
    READ = "read"
    WRITE = "write"
    MONEY = "money"

    @property
    def changes_world(self) -> bool:
        """Whether a repeat could be seen outside."""
        return self in (EffectClass.WRITE, EffectClass.MONEY)


class RetryClass(StrEnum):
    """What a lost attempt allows: repeat with the same outside key, or ask a person."""

    IDEMPOTENT = "idempotent"
    AT_MOST_ONCE = "at_most_once"


class EffectState(StrEnum):
    """State of an effect's row."""

    INTENT = "intent"
    DONE = "done"
    FAILED = "failed"
    IN_DOUBT = "in_doubt"
    DIVERGENT = "divergent"


class EffectKey(Value):
    """Where an effect stands in its run, independent of epochs."""

    tenant: str
    run: str
    step: str
    visit: int
    call: str

    def outside_key(self) -> str:
        """Return the stable Idempotency-Key handed to the outside (64 hex characters; says nothing about its parts)."""
        return digest_hex("standfast:effect:v1", self.model_dump(mode="json"), keys_checked=True)


def request_digest(*, tool: str, version: str, arguments: JsonValue) -> str:
    """Return the digest that decides whether a recorded outcome answers this request."""
    return digest_hex("standfast:request:v1", {"tool": tool, "version": version, "arguments": arguments})


class Carrier(Value):
    """What every journal transaction brings along: the run, and the unacknowledged facts in order.

    `temporal_run_id` is the execution that speaks, '' where nobody looks at it.
    """

    tenant: str
    run: str
    epoch: int
    principal: str
    correlation_id: str
    facts: tuple[Fact, ...] = ()
    temporal_run_id: str = ""


class Intent(Value):
    """A request to begin an attempt. `lease_ms` counts from the database clock; `at` is the worker's clock, RFC 3339.

    `charge` is its worst case, reserved with it; without one nothing is reserved, and what it costs is still counted.
    """

    carrier: Carrier
    key: EffectKey
    digest: str
    effect_class: EffectClass
    retry_class: RetryClass
    subject: str
    kind: str
    at: str
    attempt: int
    lease_token: str
    lease_ms: int
    temporal_run_id: str
    request: JsonValue = None
    charge: Charge | None = None


class IntentAnswer(StrEnum):
    """What the journal says to an attempt."""

    GO = "go"
    DONE = "done"
    FAILED = "failed"
    LEASED = "leased"
    IN_DOUBT = "in_doubt"
    DIVERGENT = "divergent"
    NEW_VISIT = "new_visit"
    STALE_EPOCH = "stale_epoch"
    UNLINKED = "unlinked"
    FACT_DIVERGED = "fact_diverged"
    FACT_GAP = "fact_gap"
    BUDGET_EXCEEDED = "budget_exceeded"


class RecordedOutcome(Value):
    """An outcome in the journal. `error` is `{code, detail}` for a failure; `output_ref` names a payload."""

    state: EffectState
    output_ref: str | None = None
    output_digest: str | None = None
    output: JsonValue = None
    error: dict[str, str] | None = None
    usage: Usage = Usage()


class IntentVerdict(Value):
    """The journal's answer: with `recorded` for DONE and FAILED, `wait_ms` for LEASED.

    `ms_held` bounds the attempt where a budget in time applies; None is no bound.
    """

    answer: IntentAnswer
    fact_head: int = 0
    wait_ms: int = 0
    ms_held: int | None = None
    recorded: RecordedOutcome | None = None
    detail: str = ""

    def limited(self, deadline_s: float) -> float:
        """Return how many seconds the attempt may take: its own deadline, or less where a budget in time leaves less."""
        return deadline_s if self.ms_held is None else min(deadline_s, self.ms_held / 1000)


class Outcome(Value):
    """The end of an attempt, compare-and-set on its token. `output` is stored as a payload, encrypted.

    `data` goes into the ledger entry's body (small, no personal data). `output_ref` names the payload beforehand (32 hex characters);
    without it the journal chooses a name.
    """

    carrier: Carrier
    key: EffectKey
    lease_token: str
    state: EffectState
    kind: str
    at: str
    attempt: int
    output: JsonValue = None
    output_ref: str | None = None
    error: dict[str, str] | None = None
    usage: Usage = Usage()
    data: dict[str, JsonValue] = {}


class OutcomeAnswer(StrEnum):
    """What became of an outcome."""

    RECORDED = "recorded"
    ACCEPTED_LATE = "accepted_late"
    SETTLED_LATE = "settled_late"


class OutcomeVerdict(Value):
    """The journal's answer to an outcome, with the reference under which the output lies."""

    answer: OutcomeAnswer
    fact_head: int = 0
    output_ref: str | None = None
    output_digest: str | None = None


class EffectJournal(Protocol):
    """The port of the effect journal: each method is one SQL function, one round trip, one transaction."""

    async def intent(self, intent: Intent) -> IntentVerdict:
        """Record that an attempt begins, with the facts that ride along; or say what is already known."""
        ...

    async def outcome(self, outcome: Outcome) -> OutcomeVerdict:
        """Record how an attempt ended. Late for `intent` or `in_doubt`: accepted; for `done`: only its cost is settled."""
        ...

    async def advance(self, outcome: Outcome, intent: Intent) -> tuple[OutcomeVerdict, IntentVerdict | None]:
        """Record an outcome and, if it is RECORDED with its facts, begin the next attempt; one transaction. None: nothing was begun."""
        ...

    async def renew(self, key: EffectKey, *, lease_token: str, lease_ms: int) -> bool:
        """Extend the lease of a living attempt; False when the token is not the row's any more (the attempt must stop)."""
        ...

    async def resolve(
        self, carrier: Carrier, key: EffectKey, *, happened: bool, output: JsonValue, principal: str, at: str
    ) -> IntentVerdict:
        """Apply a person's answer to an effect in doubt: DONE with `output`, or open again for a new attempt (GO)."""
        ...
