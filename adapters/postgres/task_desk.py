"""Human tasks as people work with them: found, made, taken, handed on."""

from typing import Any, cast

from psycopg.types.json import Json
from psycopg.types.numeric import Int4
from pydantic import JsonValue

from adapters.postgres.pool import Database, Row, Transaction
from adapters.postgres.projections import SEALED_OF_TASK, task_place
from adapters.postgres.sealing import open_text, seal_text
from adapters.postgres.tasks import PostgresTaskStore, note_task
from adapters.postgres.values import decode_cursor, encode_cursor
from domain.errors import NotFound, ReferenceMissing, TaskClosed, TaskTaken
from domain.ledger import Kind
from domain.people_stores import TaskRow
from domain.stores import Page
from domain.task_stores import NewTask, TaskFilter
from domain.tasks import TaskProjection, next_moment

_FIND = b"""
SELECT * FROM tasks t
WHERE t.tenant_id = %(tenant)s AND (%(state)s::text IS NULL OR t.state = %(state)s) AND (%(kind)s::text IS NULL OR t.kind = %(kind)s)
    AND (%(run)s::text IS NULL OR t.run = %(run)s) AND (%(role)s::text IS NULL OR t.role = %(role)s)
    AND (%(assignee)s::text IS NULL OR t.assignee = %(assignee)s OR (t.assignee IS NULL AND t.role = ANY(%(roles)s)))
    AND (NOT %(overdue)s OR (t.state = 'open' AND t.due <= clock_timestamp()))
"""
_BY_OPENING = b" AND (t.opened_at, t.task) > (%(at)s, %(task)s) ORDER BY t.opened_at, t.task LIMIT %(limit)s"
_BY_DUE = b" AND (coalesce(t.due, 'infinity'), t.task) > (%(at)s, %(task)s) ORDER BY coalesce(t.due, 'infinity'), t.task LIMIT %(limit)s"

_MAKE = b"""
INSERT INTO tasks (tenant_id, task, run, kind, step, visit, call, sealed, opened_at, state, role, assignee, priority, due, stages, own,
    created_by, next_at)
VALUES (%(tenant)s, %(task)s, %(run)s, %(kind)s, '', 0, '', %(sealed)s, %(opened_at)s, 'open', %(role)s, %(assignee)s, %(priority)s,
    %(due)s, %(stages)s, true, %(created_by)s, %(next_at)s)
ON CONFLICT (tenant_id, task) DO NOTHING RETURNING *
"""
_GET = b"SELECT * FROM tasks WHERE tenant_id = %(tenant)s AND task = %(task)s"
_ASSIGN = b"""
UPDATE tasks SET assignee = %(assignee)s, role = coalesce(%(role)s, role)
WHERE tenant_id = %(tenant)s AND task = %(task)s AND state = 'open' AND assignee IS NOT DISTINCT FROM %(expected)s RETURNING *
"""
_ESCALATE = b"""
UPDATE tasks SET role = %(role)s, assignee = %(assignee)s, level = %(level)s, breached_at = %(breached_at)s,
    next_at = CASE WHEN own THEN %(next_at)s::timestamptz END
WHERE tenant_id = %(tenant)s AND task = %(task)s AND state = 'open' AND level <= %(level)s RETURNING *
"""
_MOVING = b"""
SELECT * FROM tasks WHERE tenant_id = %(tenant)s AND own AND state = 'open' AND next_at <= clock_timestamp()
ORDER BY next_at LIMIT %(limit)s
"""


class PostgresTaskDesk:
    """Implements `TaskDesk`."""

    def __init__(self, db: Database, tasks: PostgresTaskStore) -> None:
        self._db = db
        self._tasks = tasks

    async def page(self, tenant: str, where: TaskFilter) -> Page[TaskRow]:
        """Return one page.

        Raises:
            BadRequest: the cursor is none of this list.
        """
        at, task = decode_cursor(where.cursor, 2) if where.cursor else ("-infinity", "")
        params = {**where.model_dump(), "roles": list(where.roles), "tenant": tenant, "at": at, "task": task, "limit": where.limit + 1}
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(_FIND + (_BY_DUE if where.sort == "due" else _BY_OPENING), params)
        items = tuple([await self._tasks.shown(row) for row in rows[: where.limit]])
        last = items[-1].projection if len(rows) > where.limit else None
        if last is None:
            return Page(items=items)
        return Page(items=items, next_cursor=encode_cursor((last.due or "infinity") if where.sort == "due" else last.opened_at, last.task))

    async def make(self, new: NewTask) -> TaskRow:
        """Insert one; the same id again returns the one that is there.

        Raises:
            NotFound: there is no such run.
        """
        tenant, task = new.tenant, new.task
        cipher = await self._tasks.cipher_of(tenant, new.run)
        said = task.model_dump(mode="json")
        hidden = {name: said[name] for name in SEALED_OF_TASK}
        params = {
            **said,
            "tenant": tenant,
            "run": new.run,
            "created_by": new.created_by,
            "stages": Json(said["stages"]),
            "next_at": next_moment(task),
            "sealed": seal_text(cipher, tenant, task_place(task.task), cast("JsonValue", hidden)),
        }
        async with self._db.tenant(tenant) as tx:
            if new.run is not None and await tx.row("SELECT FROM runs WHERE tenant_id = %s AND run = %s", [tenant, new.run]) is None:
                raise NotFound(f"there is no run {new.run}")
            made = await tx.row(_MAKE, params)
            if made is not None and new.run is not None:
                await note_task(tx, made, Kind.TASK_MADE, by=new.created_by, at=task.opened_at, said={"role": task.role, "due": task.due})
            row = made or await _row(tx, tenant, task.task)
        return await self._tasks.shown(row)

    async def assign(
        self, tenant: str, task: str, *, assignee: str | None, role: str | None, by: str, at: str, expected: str | None
    ) -> TaskRow:
        """Give an open task to a person, to a role, or to nobody.

        Raises:
            NotFound: there is none of that id in the tenant.
            TaskClosed: it is closed.
            TaskTaken: somebody else has it than `expected`.
        """
        params = {"tenant": tenant, "task": task, "assignee": assignee, "role": role, "expected": expected}
        async with self._db.tenant(tenant) as tx:
            row = await tx.row(_ASSIGN, params)
            if row is None:
                there = await _row(tx, tenant, task)
                if there["state"] == "open":
                    raise TaskTaken(f"the task {task} has been given to somebody else meanwhile: look at it again")
                raise TaskClosed(f"the task {task} is already closed")
            if row["run"] is not None:
                await note_task(tx, row, Kind.TASK_ASSIGNED, by=by, at=at, said={"assignee": row["assignee"], "role": row["role"]})
        return await self._tasks.shown(row)

    async def escalate(self, tenant: str, changed: TaskProjection, *, by: str | None, at: str) -> TaskRow:
        """Keep what an escalation or a passed due instant made of an open task; one that is further up already stays.

        Raises:
            NotFound: there is none of that id in the tenant.
            TaskClosed: it is closed.
        """
        fields = changed.model_dump(include={"task", "role", "assignee", "breached_at"})
        params = {**fields, "tenant": tenant, "level": Int4(changed.level), "next_at": next_moment(changed)}
        async with self._db.tenant(tenant) as tx:
            before = await _row(tx, tenant, changed.task, lock=b" FOR UPDATE")
            row = await tx.row(_ESCALATE, params)
            if row is None and before["state"] != "open":
                raise TaskClosed(f"the task {changed.task} is already closed")
            if row is not None and row["run"] is not None:
                await _tell(tx, before, row, by=by, at=at)
        return await self._tasks.shown(row or before)

    async def answer_of(self, tenant: str, task: str) -> JsonValue:
        """Return what was filled in, None where nothing was.

        Raises:
            NotFound: there is none of that id in the tenant.
            ReferenceMissing: it is erased.
        """
        async with self._db.tenant(tenant) as tx:
            row = await _row(tx, tenant, task)
        if row["answer_sealed"] is not None:
            cipher = await self._tasks.cipher_of(tenant, row["run"])
            return open_text(cipher, tenant, f"{task_place(task)}/answer", row["answer_sealed"])
        if row["state"] == "completed" and not row["sealed"]:
            raise ReferenceMissing(f"the answer to task {task} is erased")
        return await self._tasks.output_of(row)

    async def moving(self, tenant: str, *, limit: int) -> list[TaskRow]:
        """Return open tasks that people made whose next moment has come."""
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(_MOVING, {"tenant": tenant, "limit": limit})
        return [await self._tasks.shown(row) for row in rows]


async def _tell(tx: Transaction, before: Row, row: Row, *, by: str | None, at: str) -> None:
    """Append what changed: handed on by a person or by the ladder, or overdue."""
    said: dict[str, Any] = {"role": row["role"], "level": row["level"]}  # Any: psycopg's rows are untyped
    if row["level"] > before["level"]:
        await note_task(tx, row, Kind.TASK_HANDED_ON if by else Kind.TASK_ESCALATED, by=by or "platform", at=at, said=said)
    elif row["breached_at"] is not None and before["breached_at"] is None:
        await note_task(tx, row, Kind.TASK_BREACHED, by=by or "platform", at=at, said={})


async def _row(tx: Transaction, tenant: str, task: str, *, lock: bytes = b"") -> Row:
    """Return the row.

    Raises:
        NotFound: there is none of that id in the tenant.
    """
    row = await tx.row(_GET + lock, {"tenant": tenant, "task": task})
    if row is None:
        raise NotFound(f"there is no task {task}")
    return row
