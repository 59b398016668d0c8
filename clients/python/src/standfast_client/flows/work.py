"""Human tasks: made, found, taken, handed on, answered."""

from collections.abc import Sequence
from urllib.parse import quote

from pydantic import JsonValue

from standfast_client.exchange import Flow, Link, get, parse, plain, post
from standfast_client.flows.paging import paged
from standfast_client.models import JsonInput, Task


def tasks(link: Link, *, mine: bool, overdue: bool, order: str, limit: int, **filters: str | None) -> Flow[list[Task]]:
    """Read the tasks, up to `limit`."""
    sort = None if order == "opened" else order
    return (yield from paged(link, "/tasks", Task, limit, mine=mine or None, overdue=overdue or None, sort=sort, **filters))


def task(link: Link, task_id: str) -> Flow[Task]:
    """Read one task."""
    return parse((yield from link.ask(get(_path(task_id)))), Task)


def make(
    link: Link,
    title: str,
    role: str | None,
    principal: str | None,
    escalate: Sequence[tuple[str, str]],
    *,
    idempotency_key: str | None,
    **said: JsonInput,
) -> Flow[Task]:
    """Make a task."""
    body: dict[str, JsonValue] = {"title": title, **{name: plain(value) for name, value in said.items() if value is not None}}
    if role is not None or principal is not None:
        body["assign"] = {name: value for name, value in (("role", role), ("principal", principal)) if value is not None}
    body["escalate"] = [{"after": after, "to": {"role": to}} for after, to in escalate]
    return parse((yield from link.ask(post("/tasks", body, idempotency_key=idempotency_key))), Task)


def assign(link: Link, task_id: str, to: str | None, *, role: str | None, idempotency_key: str | None) -> Flow[Task]:
    """Take, give or release a task."""
    body: dict[str, JsonValue] = {"role": role} if role is not None else {"to": to} if to is not None else {"release": True}
    return parse((yield from link.ask(post(f"{_path(task_id)}/assign", body, idempotency_key=idempotency_key))), Task)


def escalate(link: Link, task_id: str, *, role: str | None, idempotency_key: str | None) -> Flow[Task]:
    """Hand a task on."""
    body: dict[str, JsonValue] = {} if role is None else {"role": role}
    return parse((yield from link.ask(post(f"{_path(task_id)}/escalate", body, idempotency_key=idempotency_key))), Task)


def complete(link: Link, task_id: str, resolution: str, *, output: JsonInput, idempotency_key: str | None) -> Flow[Task]:
    """Answer a task."""
    body: dict[str, JsonValue] = {"resolution": resolution, "output": plain(output)}
    return parse((yield from link.ask(post(f"{_path(task_id)}/complete", body, idempotency_key=idempotency_key))), Task)


def _path(task_id: str) -> str:
    return f"/tasks/{quote(task_id, safe='')}"
