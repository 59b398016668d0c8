"""One statement that settles an effect and begins the next: `journal_advance` where both are plain, else the two functions one by one.

Of the two, the first one's answer decides whether the second writes.
"""

from functools import cache
from typing import Final

from psycopg.types.numeric import Int4, Int8

from adapters.postgres.arrays import Blobs, Integers, Texts
from adapters.postgres.entries import FACT_TYPES, intent_body, outcome_body
from adapters.postgres.journal_params import Output, attempt_of, place_of, stored
from adapters.postgres.pool import Row
from adapters.postgres.sealing import SealedPayload
from adapters.postgres.sharing import intent_may_share, outcome_may_share
from domain.effects import Intent, Outcome

PLAIN_PARAMETERS: Final = 31
"""How many `journal_advance` takes after the tenant."""

PLAIN_QUERY: Final = (
    b"SELECT made.fact_head FROM set_config('standfast.tenant', $1, true) AS setting(tenant), LATERAL journal_advance(setting.tenant"
    + b"".join(b", $%d" % place for place in range(2, PLAIN_PARAMETERS + 2))
    + b") AS made(fact_head)"
)
"""The plain step; it answers null where it is none after all."""

OUTCOME_COLUMNS = ("answer", "facts_verdict", "detail", "fact_head", "output_ref", "output_digest")
"""What `journal_outcome` answers."""


@cache
def advance_query(ended: int, begun: int) -> bytes:
    """Return the statement for so many parameters of `journal_outcome` (its facts left out) and of `journal_intent`, after the tenant.

    Its parameters are numbered, `$1` and so on (`Database.select_numbered`).

    The outcome brings no facts: they ride with the intent. Columns of the outcome come with the prefix `ended_`, those of the intent as
    they are. The intent's tenant is null unless the outcome was recorded: no run is found then, and nothing is begun.
    """
    columns = b", ".join(f"ended.{name} AS ended_{name}".encode() for name in OUTCOME_COLUMNS)
    return (
        b"SELECT "
        + columns
        + b", begun.* FROM set_config('standfast.tenant', $1, true) AS setting(tenant), LATERAL journal_outcome(setting.tenant, $2, $3"
        + b", '{}'" * len(FACT_TYPES)
        + _numbered(4, ended - 2)
        + b") AS ended, LATERAL journal_intent(CASE WHEN ended.answer = 'recorded' AND ended.facts_verdict = 'ok' THEN setting.tenant END"
        + _numbered(2 + ended, begun)
        + b") AS begun"
    )


def _numbered(first: int, count: int) -> bytes:
    return b"".join(b", $%d" % (first + place) for place in range(count))


def ended_row(row: Row) -> Row:
    """Return what the statement says of the outcome, as `journal_outcome` alone would say it."""
    return {name: row[f"ended_{name}"] for name in OUTCOME_COLUMNS}


def may_be_plain(outcome: Outcome, intent: Intent) -> bool:
    """Whether neither concerns a budget, and both are of the same place in time; whether the run's rows are plain is SQL's to say."""
    ended, begun = outcome.carrier, intent.carrier
    together = (ended.tenant, ended.run, ended.epoch) == (begun.tenant, begun.run, begun.epoch)
    own_epoch = all(fact.epoch == begun.epoch for fact in begun.facts)
    return together and own_epoch and outcome.usage.model is None and outcome_may_share(outcome) and intent_may_share(intent)


def plain_params(outcome: Outcome, intent: Intent, output: Output, request: SealedPayload | None) -> list[object]:
    """Return the parameters of `PLAIN_QUERY`."""
    payload, key, following, carrier = output.payload, outcome.key, intent.key, intent.carrier
    given = payload.salted_digest if payload else None
    asked = request.salted_digest if request else None
    facts = carrier.facts
    told = [fact.encoded(principal=carrier.principal, correlation_id=carrier.correlation_id) for fact in facts]
    none = [None] * len(facts)
    return [
        carrier.tenant,
        carrier.run,
        Int4(carrier.epoch),
        Integers([None, *(fact.seq for fact in facts), None]),
        Texts([outcome.kind, *(fact.kind for fact in facts), intent.kind]),
        Texts([outcome.carrier.principal, *(one.principal for one in told), carrier.principal]),
        Texts([key.step, *(fact.step for fact in facts), following.step]),
        Texts([given, *none, asked]),
        Texts([None, *(one.digest for one in told), None]),
        Blobs([outcome_body(outcome, outcome.kind, given), *(one.body for one in told), intent_body(intent, intent.kind, asked)]),
        *place_of(key)[1:],
        outcome.lease_token,
        outcome.state.value,
        Int4(outcome.attempt),
        output.error,
        *stored(payload),
        payload.plain_digest if payload else None,
        Int8(outcome.usage.duration_ms),
        *place_of(following)[1:],
        *attempt_of(intent),
        *stored(request),
        intent.charge is not None and intent.charge.ms > 0,
    ]
