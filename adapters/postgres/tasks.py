"""Human tasks: opened by a flush, completed by a person or by the late outcome that told the truth (JOURNAL §2.6)."""

from typing import cast

from pydantic import JsonValue

from adapters.postgres.pool import Database, Row, Transaction
from adapters.postgres.projections import ERASED_TASK, task_place
from adapters.postgres.run_entries import append_body
from adapters.postgres.sealing import open_text, seal_text
from adapters.postgres.select_texts import PAYLOAD_OF_RUN, TASK, TASK_PAGE, UNDELIVERED_TASKS
from adapters.postgres.values import decode_cursor, encode_cursor, rfc3339_or_none, storable
from adapters.postgres.vault import Vault
from domain.errors import NotFound, ReferenceMissing, TaskClosed
from domain.ledger import EntryBody, Kind
from domain.people_stores import TaskRow
from domain.runs import TaskProjection
from domain.stores import Page, PayloadCipher

_COMPLETE = b"""
UPDATE tasks SET state = 'completed', resolution = %(resolution)s, completed_by = %(principal)s, completed_at = %(at)s,
    output_ref = %(ref)s, delivered = false
WHERE tenant_id = %(tenant)s AND task = %(task)s AND state = 'open'
"""
_COMPLETE_OWN = b"""
UPDATE tasks SET state = 'completed', resolution = %(resolution)s, completed_by = %(principal)s, completed_at = %(at)s,
    answer_sealed = %(sealed)s, next_at = NULL
WHERE tenant_id = %(tenant)s AND task = %(task)s AND state = 'open' AND own
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
        await self._vault.ciphers.learn(tenant, {row["run"] for row in rows if row["sealed"] and row["run"]})
        items = tuple([await self.shown(row) for row in rows[:limit]])
        last = items[-1].projection if len(rows) > limit else None
        return Page(items=items, next_cursor=None if last is None else encode_cursor(last.opened_at, last.task))

    async def get(self, tenant: str, task: str) -> TaskRow:
        """Return one task.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        async with self._db.tenant(tenant) as tx:
            row = await _row(tx, tenant, task)
        return await self.shown(row)

    async def complete(self, tenant: str, task: str, *, resolution: str, output: JsonValue, principal: str, at: str) -> TaskRow:
        """Store a person's answer, not yet delivered to the run.

        Raises:
            NotFound: there is none of that id in the tenant.
            TaskClosed: it was completed, or a late outcome closed it.
            InvalidInput: the output has no canonical form.
        """
        async with self._db.tenant(tenant) as tx:
            there = await _row(tx, tenant, task)
            run = there["run"]
            if there["own"]:
                await self._complete_own(tx, there, resolution=resolution, output=output, principal=principal, at=at)
                return await self.shown(await _row(tx, tenant, task))
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
        return await self.shown(row)

    async def _complete_own(self, tx: Transaction, row: Row, *, resolution: str, output: JsonValue, principal: str, at: str) -> None:
        """Close a task that a person made: nobody waits for it, so its answer stays in its row.

        Raises:
            TaskClosed: it was completed.
        """
        tenant, task, run = row["tenant_id"], row["task"], row["run"]
        sealed = seal_text(await self.cipher_of(tenant, run), tenant, f"{task_place(task)}/answer", output)
        said = {"resolution": storable(resolution), "principal": principal, "at": at, "sealed": sealed, "tenant": tenant, "task": task}
        if not await tx.affected(_COMPLETE_OWN, said):
            raise TaskClosed(f"the task {task} is already closed")
        if run is not None:
            await note_task(tx, row, Kind.TASK_COMPLETED, by=principal, at=at, said={"task": task})

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
                found.append((await self.shown(row), await self._output(row, sealed)))
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

    async def shown(self, row: Row) -> TaskRow:
        """Return a row of the table as the domain knows it."""
        hidden, tenant = ERASED_TASK, row["tenant_id"]
        if row["sealed"]:
            cipher = await self.cipher_of(tenant, row["run"])
            hidden = cast("dict[str, object]", open_text(cipher, tenant, task_place(row["task"]), row["sealed"]))
        times = {name: rfc3339_or_none(row[name]) for name in ("opened_at", "due", "breached_at")}
        return TaskRow(
            run=row["run"],
            projection=TaskProjection.model_validate({**row, **hidden, **times, "stages": row["stages"] or []}),
            state=row["state"],
            resolution=row["resolution"],
            completed_by=row["completed_by"],
            completed_at=rfc3339_or_none(row["completed_at"]),
            delivered=row["delivered"],
            own=row["own"],
            created_by=row["created_by"],
            output_ref=row["output_ref"],
        )

    async def output_of(self, row: Row) -> JsonValue:
        """Return the answer that a row names, None where it names none.

        Raises:
            ReferenceMissing: it is erased.
        """
        ref: str | None = row["output_ref"]
        if ref is None:
            return None
        async with self._db.tenant(row["tenant_id"]) as tx:
            sealed = {found["ref"]: found["sealed"] for found in await tx.rows(PAYLOAD_OF_RUN, {"tenant": row["tenant_id"], "refs": [ref]})}
        return await self._output(row, sealed)

    async def cipher_of(self, tenant: str, run: str | None) -> PayloadCipher:
        """Return what seals a task's content: its run's cipher, or the tenant's."""
        return self._vault.ciphers.of_tenant if run is None else await self._vault.ciphers.of_run(tenant, run)


async def note_task(tx: Transaction, row: Row, kind: Kind, *, by: str, at: str, said: dict[str, JsonValue]) -> None:
    """Append what people did with a task of a run to the run's chain."""
    tenant, run = row["tenant_id"], row["run"]
    found = await tx.row("SELECT correlation_id, epoch FROM runs WHERE tenant_id = %s AND run = %s", [tenant, run])
    if found is None:
        return
    body = EntryBody(
        kind=kind,
        at=at,
        principal=by,
        correlation_id=found["correlation_id"],
        epoch=found["epoch"] or 0,
        step=row["step"] or None,
        visit=row["visit"] or None,
        data={"task": row["task"], **said},
    )
    await append_body(tx, tenant, run, body)


async def _row(tx: Transaction, tenant: str, task: str) -> Row:
    row = await tx.row(TASK, {"tenant": tenant, "task": task})
    if row is None:
        raise NotFound(f"there is no task {task}")
    return row
