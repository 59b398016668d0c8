"""One statement that settles an effect and begins the next: the first function's answer decides whether the second writes."""

from functools import cache

from adapters.postgres.entries import FACT_TYPES
from adapters.postgres.pool import Row

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
