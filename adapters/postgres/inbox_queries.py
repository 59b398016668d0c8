"""The SQL of the inbox: a page is read in order from an index on one facet, and other filters are looked up for each row of it."""

from typing import NamedTuple

from adapters.postgres.values import decode_cursor
from domain.inbox import STATES, InboxFilter

_OF_DEADLINE = {b"key": b"due", b"after": b">", b"way": b"ASC"}
_OF_OPENING = {b"key": b"opened_at", b"after": b"<", b"way": b"DESC"}

_PAGE = b"""
SELECT a.*, hits.at AS at FROM (
    SELECT DISTINCT h.at, h.approval FROM %(drivers)s unnest(%%(states)s::text[]) AS s(state) CROSS JOIN LATERAL (
        SELECT f.%(key)s AS at, f.approval FROM %(rows)s f
        WHERE f.tenant_id = %%(tenant)s AND f.state = s.state
            AND (f.%(key)s, f.approval) %(after)s (%%(at)s::timestamptz, %%(approval)s)%(filters)s
        ORDER BY f.%(key)s %(way)s, f.approval %(way)s LIMIT %%(limit)s
    ) AS h
    ORDER BY h.at %(way)s, h.approval %(way)s LIMIT %%(limit)s
) AS hits JOIN approvals a ON a.tenant_id = %%(tenant)s AND a.approval = hits.approval
ORDER BY hits.at %(way)s, a.approval %(way)s
"""
_DRIVERS = b"unnest(%(facets_0)s::text[], %(values_0)s::text[]) AS v(facet, value) CROSS JOIN"
_DRIVEN = b" AND f.facet = v.facet AND f.value = v.value"
_BEFORE = b" AND f.due < %(before)s"
_OTHER = b""" AND EXISTS (SELECT FROM approval_facets o WHERE o.tenant_id = %%(tenant)s AND o.approval = f.approval
                AND (o.facet, o.value) IN (SELECT * FROM unnest(%%(facets_%(n)d)s::text[], %%(values_%(n)d)s::text[])))"""
_NOT_OWN = b""" AND NOT EXISTS (SELECT FROM approvals own WHERE own.tenant_id = %(tenant)s AND own.approval = f.approval
                AND own.exclude_requester AND own.requester = %(principal)s)"""

DECIDED_LIKE = b"""
SELECT a.* FROM approvals a
WHERE a.tenant_id = %(tenant)s AND a.definition = %(definition)s AND a.decided_at IS NOT NULL AND a.decided_by IS NOT NULL
    AND a.approval <> %(approval)s
    AND EXISTS (SELECT FROM approval_facets f WHERE f.tenant_id = a.tenant_id AND f.approval = a.approval AND f.facet = 'tool'
        AND f.value = ANY (%(tools)s))
ORDER BY a.decided_at DESC, a.approval DESC LIMIT %(limit)s
"""

ASSIGN = b"""
UPDATE approvals SET assignee = %(assignee)s, assigned_by = CASE WHEN %(assignee)s::text IS NULL THEN NULL ELSE %(principal)s END,
    assigned_at = CASE WHEN %(assignee)s::text IS NULL THEN NULL ELSE clock_timestamp() END
WHERE tenant_id = %(tenant)s AND approval = %(approval)s AND state = 'open'
    AND (%(take_over)s OR assignee IS NULL OR assignee = %(principal)s OR assignee IS NOT DISTINCT FROM %(assignee)s)
"""


class PageQuery(NamedTuple):
    """A statement and its parameters; it reads one row more than the page has, to know of a next one."""

    sql: bytes
    params: dict[str, object]


def page_query(tenant: str, where: InboxFilter) -> PageQuery:
    """Return the statement of a page; only filters that are given stand in it, so that each kind of page has a plan of its own.

    Raises:
        BadRequest: the cursor is none of this list.
    """
    start = "-infinity" if where.order == "deadline" else "infinity"
    at, approval = decode_cursor(where.cursor, 2) if where.cursor else (start, "")
    params: dict[str, object] = {
        "tenant": tenant,
        "states": list(STATES) if where.state is None else [where.state],
        "at": at,
        "approval": approval,
        "limit": where.limit + 1,
    }
    groups = where.facets()
    filters = [_DRIVEN] if groups else []
    for place, group in enumerate(groups):
        params |= {f"facets_{place}": [facet for facet, _ in group], f"values_{place}": [value for _, value in group]}
        if place:
            filters.append(_OTHER % {b"n": place})
    if where.deadline_before is not None:
        filters.append(_BEFORE)
        params["before"] = where.deadline_before
    if where.may_decide is not None:
        filters.append(_NOT_OWN)
        params["principal"] = where.may_decide.principal
    parts = {
        **(_OF_DEADLINE if where.order == "deadline" else _OF_OPENING),
        b"drivers": _DRIVERS if groups else b"",
        b"rows": b"approval_facets" if groups else b"approvals",
        b"filters": b"".join(filters),
    }
    return PageQuery(_PAGE % parts, params)
