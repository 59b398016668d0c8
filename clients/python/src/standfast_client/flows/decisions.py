"""What people answer: approvals and tasks."""

from urllib.parse import quote

from pydantic import JsonValue

from standfast_client.exchange import Flow, Link, get, parse, plain, post
from standfast_client.flows.paging import paged
from standfast_client.models import Approval, Decision, JsonInput, Task


def approvals(link: Link, *, state: str | None, mine: bool, limit: int) -> Flow[list[Approval]]:
    """Read the inbox, earliest deadline first, up to `limit` approvals."""
    return (yield from paged(link, "/approvals", Approval, limit, state=state, mine=mine or None))


def approval(link: Link, approval_id: str) -> Flow[Approval]:
    """Read one approval."""
    return parse((yield from link.ask(get(_approval_path(approval_id)))), Approval)


def decide(
    link: Link, subject: Approval | str, verdict: str, *, comment: str, digest: str | None, idempotency_key: str | None
) -> Flow[Decision]:
    """Decide an approval. Without a digest, the one of the given approval is named, or of the approval read now."""
    if digest is None:
        known = subject if isinstance(subject, Approval) else (yield from approval(link, subject))
        digest = known.digest
    approval_id = subject.approval if isinstance(subject, Approval) else subject
    body: dict[str, JsonValue] = {"verdict": verdict, "digest": digest, "comment": comment}
    request = post(f"{_approval_path(approval_id)}/decision", body, idempotency_key=idempotency_key)
    return parse((yield from link.ask(request)), Decision)


def tasks(link: Link, *, state: str | None, limit: int) -> Flow[list[Task]]:
    """Read the tasks, oldest first, up to `limit`."""
    return (yield from paged(link, "/tasks", Task, limit, state=state))


def task(link: Link, task_id: str) -> Flow[Task]:
    """Read one task."""
    return parse((yield from link.ask(get(_task_path(task_id)))), Task)


def complete(link: Link, task_id: str, resolution: str, *, output: JsonInput, idempotency_key: str | None) -> Flow[Task]:
    """Answer a task."""
    body: dict[str, JsonValue] = {"resolution": resolution, "output": plain(output)}
    request = post(f"{_task_path(task_id)}/complete", body, idempotency_key=idempotency_key)
    return parse((yield from link.ask(request)), Task)


def _approval_path(approval_id: str) -> str:
    return f"/approvals/{quote(approval_id, safe='')}"


def _task_path(task_id: str) -> str:
    return f"/tasks/{quote(task_id, safe='')}"
