"""What reviewers answer: approvals."""

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote

from pydantic import JsonValue

from standfast_client.exchange import Flow, Link, Parameter, get, parse, plain, post
from standfast_client.flows.paging import paged
from standfast_client.models import Approval, BatchAnswer, BatchAnswers, Decision, JsonInput
from standfast_client.reviewing import ApprovalDetail


def approvals(link: Link, *, state: str | None, mine: bool, order: str, limit: int, **filters: str | None) -> Flow[list[Approval]]:
    """Read the inbox, up to `limit` approvals."""
    query: dict[str, Parameter] = {"state": state, "mine": mine or None, "order": None if order == "deadline" else order, **filters}
    return (yield from paged(link, "/approvals", Approval, limit, **query))


def approval(link: Link, approval_id: str) -> Flow[ApprovalDetail]:
    """Read one approval with what is behind it."""
    return parse((yield from link.ask(get(_approval_path(approval_id)))), ApprovalDetail)


def assign(link: Link, subject: Approval | str, assignee: str | None, *, take_over: bool, idempotency_key: str | None) -> Flow[Approval]:
    """Claim, assign or release."""
    approval_id = subject.approval if isinstance(subject, Approval) else subject
    request = post(f"{_approval_path(approval_id)}/assign", {"take_over": take_over}, idempotency_key=idempotency_key)
    body: dict[str, JsonValue] = {"assignee": assignee, "take_over": take_over}
    return parse((yield from link.ask(replace(request, body=body))), Approval)


def decide(
    link: Link,
    subject: Approval | str,
    verdict: str,
    *,
    comment: str,
    digest: str | None,
    idempotency_key: str | None,
    content: dict[str, JsonInput] | None = None,
) -> Flow[Decision]:
    """Decide an approval. Without a digest, the one of the given approval is named, or of the approval read now."""
    if digest is None:
        known = subject if isinstance(subject, Approval) else (yield from approval(link, subject))
        digest = known.digest
    approval_id = subject.approval if isinstance(subject, Approval) else subject
    body: dict[str, JsonValue] = {"verdict": verdict, "digest": digest, "comment": comment}
    body |= {name: plain(value) for name, value in (content or {}).items() if value is not None}
    request = post(f"{_approval_path(approval_id)}/decision", body, idempotency_key=idempotency_key)
    return parse((yield from link.ask(request)), Decision)


def decide_many(
    link: Link, choices: Sequence[tuple[Approval, str]], *, comment: str, idempotency_key: str | None
) -> Flow[list[BatchAnswer]]:
    """Decide approvals that were read, each with the verdict beside it."""
    said: list[JsonValue] = [
        {"approval": each.approval, "verdict": verdict, "digest": each.digest, "comment": comment} for each, verdict in choices
    ]
    answers = parse((yield from link.ask(post("/approvals/decisions", {"decisions": said}, idempotency_key=idempotency_key))), BatchAnswers)
    return answers.answers


def _approval_path(approval_id: str) -> str:
    return f"/approvals/{quote(approval_id, safe='')}"
