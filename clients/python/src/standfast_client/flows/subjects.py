"""Erasure and retention."""

from urllib.parse import quote

from standfast_client.exchange import Flow, Link, get, parse, post
from standfast_client.flows.paging import paged
from standfast_client.removals import LegalHold, PurgeAnswer, Removal, RemovalPlan, Retention


def plan(link: Link, subject: str) -> Flow[RemovalPlan]:
    """Read what erasing a data subject would take."""
    request = post("/erasures", {"subject": subject, "dry_run": True}, idempotency_key=None)
    return parse((yield from link.ask(request)), RemovalPlan)


def erase(link: Link, subject: str, *, mode: str, idempotency_key: str | None) -> Flow[Removal]:
    """Erase or anonymise a data subject."""
    request = post("/erasures", {"subject": subject, "mode": mode}, idempotency_key=idempotency_key)
    return parse((yield from link.ask(request)), Removal)


def erasure(link: Link, erasure_id: str) -> Flow[Removal]:
    """Read one removal with its certificate."""
    return parse((yield from link.ask(get(f"/erasures/{quote(erasure_id, safe='')}"))), Removal)


def erasures(link: Link, *, limit: int) -> Flow[list[Removal]]:
    """Read removals, oldest first, up to `limit`."""
    return (yield from paged(link, "/erasures", Removal, limit))


def retention(link: Link) -> Flow[Retention]:
    """Read rules and standing holds."""
    return parse((yield from link.ask(get("/retention"))), Retention)


def set_rule(link: Link, definition: str | None, keep_days: int | None, *, idempotency_key: str | None) -> Flow[Retention]:
    """Set a rule; None days remove it."""
    request = post("/retention", {"definition": definition, "keep_days": keep_days}, idempotency_key=idempotency_key)
    return parse((yield from link.ask(request)), Retention)


def purge_plan(link: Link, run: str | None) -> Flow[RemovalPlan]:
    """Read what a purge would take now."""
    request = post("/retention/purge", {"run": run, "dry_run": True}, idempotency_key=None)
    return parse((yield from link.ask(request)), RemovalPlan)


def purge(link: Link, run: str | None, *, idempotency_key: str | None) -> Flow[Removal | None]:
    """Remove what is over its term; None when nothing is."""
    answer = yield from link.ask(post("/retention/purge", {"run": run}, idempotency_key=idempotency_key))
    return None if parse(answer, PurgeAnswer).erasure is None else parse(answer, Removal)


def hold(link: Link, scope: str, name: str, *, reason: str, idempotency_key: str | None) -> Flow[LegalHold]:
    """Place a legal hold."""
    request = post("/retention/holds", {"scope": scope, "name": name, "reason": reason}, idempotency_key=idempotency_key)
    return parse((yield from link.ask(request)), LegalHold)


def release(link: Link, hold_id: str, *, idempotency_key: str | None) -> Flow[LegalHold]:
    """Release a legal hold."""
    request = post(f"/retention/holds/{quote(hold_id, safe='')}/release", {}, idempotency_key=idempotency_key)
    return parse((yield from link.ask(request)), LegalHold)
