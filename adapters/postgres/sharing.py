"""Which calls of the journal may share a statement: those that lock nothing beyond their run. Pure.

Budgets are the one thing runs have in common. A call that may change one goes alone (`together.py` says why).
"""

from adapters.postgres.together import Shared
from domain.effects import Intent, Outcome
from domain.runs import Projection

NOTHING = Projection()

_OPENING_AND_PLACE = "text integer text integer text"

INTENTS = Shared(
    "journal_intent",
    _OPENING_AND_PLACE + " text text text text integer text integer text text bytea text text text bytea bytea bytea jsonb",
    # A worst case in time counts only where a limit on time applies.
    beside="item.p21 IS NOT NULL AND budget_limited(setting.tenant, item.p0, 'ms')",
)
OUTCOMES = Shared(
    "journal_outcome",
    _OPENING_AND_PLACE + " text text integer json text bytea text bigint bigint bigint bigint text text text text bytea bytea",
    beside="EXISTS (SELECT FROM reservations v WHERE v.tenant_id = setting.tenant AND v.run = item.p0 AND v.step = item.p2"
    " AND v.visit = item.p3 AND v.call = item.p4)",
)
FLUSHES = Shared("journal_flush", "text integer integer", plain="append_facts", abreast=2)


def intent_may_share(intent: Intent) -> bool:
    """Whether an intent reserves nothing, but time where a limit on it applies."""
    charge = intent.charge
    return charge is None or (charge.usd_micros == 0 and charge.tokens == 0 and not charge.caps)


def outcome_may_share(outcome: Outcome) -> bool:
    """Whether an outcome used nothing that budgets count."""
    usage = outcome.usage
    return not (usage.input_tokens or usage.output_tokens or usage.cost_usd_micros)


def flush_may_share(projection: Projection) -> bool:
    """Whether a flush brings facts alone: a run that waits or ends gives back what it holds of budgets."""
    return not projection.model_fields_set or projection == NOTHING
