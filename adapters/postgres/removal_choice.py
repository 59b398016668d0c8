"""Chooses what a removal takes: the runs of a data subject or those past their term, and why others may not go."""

from adapters.postgres import removal_queries as sql
from adapters.postgres.pool import Row, Transaction
from adapters.postgres.values import rfc3339
from domain.errors import Erased, ErasureRefused, InsideTerm, NotFound, UnderLegalHold
from domain.subjects import Contents, RemovalPlan

SHOWN_MAX = 5
"""Runs or holds that a refusal names."""


async def rows_of_subject(tx: Transaction, tenant: str, subject: str, *, lock: bytes = b"") -> list[Row]:
    """Return the runs of a data subject that still have content.

    Raises:
        NotFound: it has no run at all.
        Erased: all are erased.
        ErasureRefused: it is a run of another data subject.
    """
    rows = await tx.rows(sql.OF_SUBJECT + lock, {"tenant": tenant, "subject": subject})
    if rows:
        return rows
    own = await tx.row(sql.OWNER_OF_RUN, {"tenant": tenant, "run": subject})
    if own is not None and own["erased_at"] is not None:
        raise Erased(f"the content of run {subject} was erased on {rfc3339(own['erased_at'])} ({own['erasure']})")
    if own is not None:
        raise ErasureRefused(f"run {subject} belongs to the data subject {own['subject']}: erase that one, with all its runs")
    raise NotFound("no run with content belongs to that data subject: check its name, letter for letter")


async def rows_past_term(tx: Transaction, tenant: str, run: str | None, limit: int, *, lock: bytes = b"") -> list[Row]:
    """Return runs whose term is over, that no hold covers and that are no open dead letter.

    Raises:
        NotFound: there is no run of that name.
        Erased: it was removed before.
        InsideTerm: its term is not over, it is open, or no rule gives it a term.
        UnderLegalHold: a hold covers it.
    """
    rows = await tx.rows(sql.PAST_TERM + lock, {"tenant": tenant, "run": run, "limit": limit})
    if run is None or rows:
        return rows
    why = await tx.row(sql.WHY_NOT_PURGED, {"tenant": tenant, "run": run})
    if why is None:
        raise NotFound(f"there is no run {run}")
    if why["erased_at"] is not None:
        raise Erased(f"the content of run {run} was removed on {rfc3339(why['erased_at'])}")
    if why["held"]:
        raise UnderLegalHold(f"a legal hold covers run {run}: release it first (`standfast retention holds` lists them)")
    if why["closed_at"] is None:
        raise InsideTerm(f"run {run} is open: its retention term begins when it ends")
    if why["purgeable_at"] is None:
        raise InsideTerm(f"no retention rule covers run {run}, so its content is kept for ever: set one with `standfast retention set`")
    if why["dead_letter"] is not None:
        raise InsideTerm(
            f"run {run} is an open dead letter, {why['dead_letter']}: redrive it, or discard it with a reason, before it is purged"
        )
    raise InsideTerm(f"the content of run {run} is kept until {rfc3339(why['purgeable_at'])}")


async def plan_of(tx: Transaction, tenant: str, subject: str | None, rows: list[Row]) -> RemovalPlan:
    """Return what removing these runs would take, and what forbids it now."""
    params = {"tenant": tenant, "runs": [row["run"] for row in rows]}
    counted = await tx.row(sql.COUNT, params)
    return RemovalPlan(
        subject=subject,
        runs=tuple(row["run"] for row in rows),
        open_runs=tuple(row["run"] for row in rows if row["closed_at"] is None),
        holds=tuple(row["hold"] for row in await tx.rows(sql.HOLDS, params)),
        subject_keys=len({row["subject_key"] for row in rows if row["subject_key"]}),
        contents=Contents.model_validate(counted),
    )


def refuse(plan: RemovalPlan) -> None:
    """Refuse what is forbidden now.

    Raises:
        UnderLegalHold: a hold covers it.
        ErasureRefused: a run is open.
    """
    if plan.holds:
        raise UnderLegalHold(f"legal holds cover runs of this data subject: {_shown(plan.holds)}; release them first")
    if plan.open_runs:
        raise ErasureRefused(f"runs of this data subject are open: {_shown(plan.open_runs)}; wait until they end, or cancel them")


def _shown(names: tuple[str, ...]) -> str:
    more = len(names) - SHOWN_MAX
    return ", ".join(names[:SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")
