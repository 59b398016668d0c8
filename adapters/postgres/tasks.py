"""Human tasks: opened by a flush, completed by a person or by the late outcome that told the truth (JOURNAL §2.6)."""

from typing import cast

from pydantic import JsonValue

from adapters.postgres.pool import Database, Row, Transaction
from adapters.postgres.projections import ERASED_TASK, task_place
from adapters.postgres.sealing import open_text
from adapters.postgres.select_texts import PAYLOAD_OF_RUN, TASK, TASK_PAGE, UNDELIVERED_TASKS
from adapters.postgres.values import decode_cursor, encode_cursor, rfc3339, rfc3339_or_none, storable
from adapters.postgres.vault import Vault
from domain.errors import NotFound, ReferenceMissing, TaskClosed
from domain.people_stores import TaskRow
from domain.runs import TaskProjection
from domain.stores import Page, PayloadCipher

_COMPLETE = b"""
UPDATE tasks SET state = 'completed', resolution = %(resolution)s, completed_by = %(principal)s, completed_at = %(at)s,
    output_ref = %(ref)s, delivered = false
WHERE tenant_id = %(tenant)s AND task = %(task)s AND state = 'open'
"""


class PostgresTaskStore:
    """Implements `TaskStore`."""

    def __init__(self, db: Database, cipher: PayloadCipher | Vault) -> None:
        self._db = db
        self._vault = Vault.over(db, cipher)

    async def page(self, tenant: str, *, state: str | None, limit: int, cursor: str | None) -> Page[TaskRow]:
        """Return one page, oldest first.

        Raises:
            BadRequest: the cursor is none of this list.
        """
        opened_at, task = decode_cursor(cursor, 2) if cursor else ("-infinity", "")
        params = {"tenant": tenant, "state": state, "opened_at": opened_at, "task": task, "limit": limit + 1}
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(TASK_PAGE, params)
        await self._vault.ciphers.learn(tenant, {row["run"] for row in rows if row["sealed"]})
        items = tuple([await self._task(row) for row in rows[:limit]])
        last = items[-1].projection if len(rows) > limit else None
        return Page(items=items, next_cursor=None if last is None else encode_cursor(last.opened_at, last.task))

    async def get(self, tenant: str, task: str) -> TaskRow:
        """Return one task.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        async with self._db.tenant(tenant) as tx:
            row = await _row(tx, tenant, task)
        return await self._task(row)

    async def complete(self, tenant: str, task: str, *, resolution: str, output: JsonValue, principal: str, at: str) -> TaskRow:
        """Store a person's answer, not yet delivered to the run.

        Raises:
            NotFound: there is none of that id in the tenant.
            TaskClosed: it was completed, or a late outcome closed it.
            InvalidInput: the output has no canonical form.
        """
        async with self._db.tenant(tenant) as tx:
            run = (await _row(tx, tenant, task))["run"]
            cipher = await self._vault.ciphers.within(tx, tenant, run)
            payload = await self._vault.seal_with(cipher, tenant, run, output)
            fields = {
                "resolution": storable(resolution),
                "principal": principal,
                "at": at,
                "ref": payload.ref,
                "tenant": tenant,
                "task": task,
            }
            if not await tx.affected(_COMPLETE, fields):
                raise TaskClosed(f"the task {task} is already closed")
            await tx.execute(
                "INSERT INTO payloads (tenant_id, ref, run, sealed) VALUES (%s, %s, %s, %s)", [tenant, payload.ref, run, payload.sealed]
            )
            row = await _row(tx, tenant, task)
        return await self._task(row)

    async def undelivered(self, tenant: str, *, limit: int) -> list[tuple[TaskRow, JsonValue]]:
        """Return completed or closed_late tasks whose run has not been told, with the output.

        One whose output is erased can be told to nobody: it is left out, and marked, so that it is not looked at again.
        """
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(UNDELIVERED_TASKS, {"tenant": tenant, "limit": limit})
            refs = [row["output_ref"] for row in rows if row["output_ref"]]
            sealed = {row["ref"]: row["sealed"] for row in await tx.rows(PAYLOAD_OF_RUN, {"tenant": tenant, "refs": refs})}
        found: list[tuple[TaskRow, JsonValue]] = []
        for row in rows:
            try:
                found.append((await self._task(row), await self._output(row, sealed)))
            except ReferenceMissing:
                await self.mark_delivered(tenant, row["task"])
        return found

    async def mark_delivered(self, tenant: str, task: str) -> None:
        """Remember that the run was told."""
        async with self._db.tenant(tenant) as tx:
            await tx.execute("UPDATE tasks SET delivered = true WHERE tenant_id = %s AND task = %s", [tenant, task])

    async def _output(self, row: Row, sealed: dict[str, bytes]) -> JsonValue:
        ref: str | None = row["output_ref"]
        return None if ref is None else await self._vault.open(row["tenant_id"], row["run"], ref, sealed.get(ref))

    async def _task(self, row: Row) -> TaskRow:
        hidden, tenant = ERASED_TASK, row["tenant_id"]
        if row["sealed"]:
            cipher = await self._vault.ciphers.of_run(tenant, row["run"])
            hidden = cast("dict[str, object]", open_text(cipher, tenant, task_place(row["task"]), row["sealed"]))
        return TaskRow(
            run=row["run"],
            projection=TaskProjection.model_validate({**row, **hidden, "opened_at": rfc3339(row["opened_at"])}),
            state=row["state"],
            resolution=row["resolution"],
            completed_by=row["completed_by"],
            completed_at=rfc3339_or_none(row["completed_at"]),
            delivered=row["delivered"],
        )


async def _row(tx: Transaction, tenant: str, task: str) -> Row:
    row = await tx.row(TASK, {"tenant": tenant, "task": task})
    if row is None:
        raise NotFound(f"there is no task {task}")
    return row
