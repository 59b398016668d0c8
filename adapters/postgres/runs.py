"""Runs, from the gateway's side and the sweeper's (DESIGN §5)."""

from psycopg.types.numeric import Int4
from pydantic import JsonValue

from adapters.postgres.pool import Database, Row, Transaction
from adapters.postgres.run_queries import EXPIRE_OR_CLOSE, INSERT_RUN
from adapters.postgres.sealed_errors import effect_error_place, is_sealed, open_error, run_error_place
from adapters.postgres.sealing import SealedPayload
from adapters.postgres.select_texts import EFFECTS_OF_RUN, OLD_ACCEPTED, OPEN_RUNS, PAYLOAD_OF_RUN, RUN_BY_ID, RUN_PAGE
from adapters.postgres.subject_keys import key_for_run
from adapters.postgres.values import decode_cursor, encode_cursor, rfc3339, rfc3339_or_none, storable
from adapters.postgres.vault import Vault
from domain.effects import EffectKey
from domain.errors import Erased, NotFound
from domain.ledger import EntryBody, Kind
from domain.runs import RunStatus
from domain.stores import EffectRow, NewRun, Page, PayloadCipher, RunFilter, RunRow


class PostgresRunStore:
    """Implements `RunStore`."""

    def __init__(self, db: Database, cipher: PayloadCipher | Vault) -> None:
        self._db = db
        self._vault = Vault.over(db, cipher)

    async def accept(self, run: NewRun) -> RunRow:
        """Insert the run's row, its payloads and `gateway:run:accepted` in one transaction; an existing row is returned as it is.

        Raises:
            InvalidInput: input or config have no canonical form.
        """
        async with self._db.tenant(run.tenant) as tx:
            await self.accept_within(tx, run)
            row = await tx.row(RUN_BY_ID, {"tenant": run.tenant, "run": run.run})
        return await self._shown(_found(row, run.run))

    async def accept_within(self, tx: Transaction, run: NewRun) -> Row | None:
        """Do what `accept` does in a transaction of the caller; return `created_at` of a new row, None when it is there already.

        Raises:
            InvalidInput: input or config have no canonical form.
            BodyTooLarge: one of them is over the limit of a payload.
        """
        await tx.execute("INSERT INTO tenants (tenant_id) VALUES (%s) ON CONFLICT DO NOTHING", [run.tenant])
        key_id, cipher = await key_for_run(tx, self._vault.ciphers.of_tenant, run.tenant, run.subject or run.run, own=run.subject is None)
        given = await self._vault.seal_with(cipher, run.tenant, run.run, run.input)
        config = await self._vault.seal_with(cipher, run.tenant, run.run, run.config)
        fields = {**run.model_dump(include={*NewRun.model_fields} - {"input", "config"}), "subject": run.subject or run.run}
        fresh = await tx.row(INSERT_RUN, {**fields, "subject_key": key_id, "input_ref": given.ref, "config_ref": config.ref})
        if fresh is not None:
            for payload in (given, config):
                await tx.execute(
                    "INSERT INTO payloads (tenant_id, ref, run, sealed) VALUES (%s, %s, %s, %s)",
                    [run.tenant, payload.ref, run.run, payload.sealed],
                )
            await append_body(tx, run.tenant, run.run, _accepted_body(run, fresh, given.salted_digest))
        return fresh

    async def get(self, tenant: str, run: str) -> RunRow:
        """Return one run.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        async with self._db.tenant(tenant) as tx:
            row = _found(await tx.row(RUN_BY_ID, {"tenant": tenant, "run": run}), run)
        return await self._shown(row)

    async def page(self, tenant: str, where: RunFilter) -> Page[RunRow]:
        """Return one page, newest first.

        Raises:
            BadRequest: the cursor is none of this list.
        """
        created_at, run = decode_cursor(where.cursor, 2) if where.cursor else ("infinity", "")
        params = {
            "tenant": tenant,
            "any_status": not where.status,
            "statuses": [status.value for status in where.status],
            "definition": where.definition,
            "created_at": created_at,
            "run": run,
            "limit": where.limit + 1,
        }
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(RUN_PAGE, params)
        items = tuple(await self._all_shown(tenant, rows[: where.limit]))
        more = len(rows) > where.limit
        return Page(items=items, next_cursor=encode_cursor(items[-1].created_at, items[-1].run) if more else None)

    async def input_of(self, tenant: str, run: str) -> tuple[JsonValue, dict[str, JsonValue]]:
        """Return (input, config) as they were accepted.

        Raises:
            NotFound: there is no such run.
            ReferenceMissing: a payload is erased.
        """
        given, config = await self._payloads(tenant, run, "input_ref", "config_ref")
        return given, config if isinstance(config, dict) else {}

    async def result_of(self, tenant: str, run: str) -> JsonValue:
        """Return the result of a succeeded run, else None.

        Raises:
            NotFound: there is no such run.
            ReferenceMissing: the payload is erased.
        """
        (result,) = await self._payloads(tenant, run, "result_ref")
        return result

    async def _payloads(self, tenant: str, run: str, *columns: str) -> list[JsonValue]:
        async with self._db.tenant(tenant) as tx:
            row = _found(await tx.row(RUN_BY_ID, {"tenant": tenant, "run": run}), run)
            refs: list[str | None] = [row[column] for column in columns]
            sealed = {
                r["ref"]: r["sealed"] for r in await tx.rows(PAYLOAD_OF_RUN, {"tenant": tenant, "refs": [ref for ref in refs if ref]})
            }
        if row["erased_at"] is not None:
            raise Erased(f"the content of run {run} was erased on {rfc3339(row['erased_at'])} ({row['erasure']})")
        return [None if ref is None else await self._vault.open(tenant, run, ref, sealed.get(ref)) for ref in refs]

    async def effects_of(self, tenant: str, run: str) -> list[EffectRow]:
        """Return the run's effects in order of their start."""
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(EFFECTS_OF_RUN, {"tenant": tenant, "run": run})
        return [await self._effect(tenant, run, row) for row in rows]

    async def _effect(self, tenant: str, run: str, row: Row) -> EffectRow:
        key = EffectKey(tenant=tenant, run=run, step=row["step"], visit=row["visit"], call=row["call"])
        error = await open_error(self._vault.ciphers, tenant, run, effect_error_place(key), row["error"])
        return EffectRow(
            started_at=rfc3339(row["started_at"]),
            ended_at=rfc3339_or_none(row["ended_at"]),
            error=error,
            **{field: row[field] for field in _SAME_IN_EFFECT},
        )

    async def tenants(self) -> list[str]:
        """Return all tenant ids, by the one function that may see them all."""
        async with self._db.platform() as tx:
            return [row["tenant_id"] for row in await tx.rows("SELECT tenant_ids() AS tenant_id")]

    async def accepted_before(self, tenant: str, *, seconds: float, limit: int) -> list[RunRow]:
        """Return `accepted` rows without an epoch that are older than that, oldest first."""
        return await self._list(tenant, OLD_ACCEPTED, seconds, limit)

    async def open_runs(self, tenant: str, *, idle_seconds: float, limit: int) -> list[RunRow]:
        """Return started rows that are not closed and were not updated for that long, oldest update first."""
        return await self._list(tenant, OPEN_RUNS, idle_seconds, limit)

    async def _list(self, tenant: str, query: bytes, seconds: float, limit: int) -> list[RunRow]:
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(query, {"tenant": tenant, "seconds": seconds, "limit": limit})
        return await self._all_shown(tenant, rows)

    async def _all_shown(self, tenant: str, rows: list[Row]) -> list[RunRow]:
        await self._vault.ciphers.learn(tenant, {row["run"] for row in rows if is_sealed(row["error"])})
        return [await self._shown(row) for row in rows]

    async def _shown(self, row: Row) -> RunRow:
        tenant, run = row["tenant_id"], row["run"]
        return RunRow(
            tenant=tenant,
            created_at=rfc3339(row["created_at"]),
            updated_at=rfc3339(row["updated_at"]),
            closed_at=rfc3339_or_none(row["closed_at"]),
            erased_at=rfc3339_or_none(row["erased_at"]),
            head_hash=bytes(row["head_hash"]).hex(),
            error=await open_error(self._vault.ciphers, tenant, run, run_error_place(run), row["error"]),
            **{field: row[field] for field in _SAME_IN_RUN},
        )

    async def close_externally(self, tenant: str, run: str, *, status: RunStatus, reason: str, at: str, epoch: int | None) -> bool:
        """Close a row that no workflow code can close any more, with its ledger entry; its open approvals and tasks are withdrawn.

        Returns:
            False if it was closed already, is in another epoch, or was to expire and has started.
        """
        expires = status is RunStatus.EXPIRED
        kind = Kind.RUN_START_EXPIRED if expires else Kind.RUN_ENDED_EXTERNALLY
        params = {
            "tenant": tenant,
            "run": run,
            "status": status.value,
            "reason": storable(reason),
            "expires": expires,
            "epoch": None if epoch is None else Int4(epoch),
        }
        async with self._db.tenant(tenant) as tx:
            closed = await tx.row(EXPIRE_OR_CLOSE, params)
            if closed is None:
                return False
            body = EntryBody(
                kind=kind,
                at=at,
                principal="platform",
                correlation_id=closed["correlation_id"],
                epoch=closed["epoch"] or 0,
                data={"status": status.value, "reason": reason},
            )
            await append_body(tx, tenant, run, body)
            await tx.execute(
                "UPDATE approvals SET state = 'withdrawn', decided_at = clock_timestamp()"
                " WHERE tenant_id = %s AND run = %s AND state = 'open'",
                [tenant, run],
            )
            await tx.execute(
                "UPDATE tasks SET state = 'completed', resolution = 'withdrawn', completed_at = clock_timestamp(), delivered = true"
                " WHERE tenant_id = %s AND run = %s AND state = 'open'",
                [tenant, run],
            )
        return True

    async def touch(self, tenant: str, run: str) -> None:
        """Set the row's update time, so that the reconciler looks at others first."""
        async with self._db.tenant(tenant) as tx:
            await tx.execute("UPDATE runs SET updated_at = clock_timestamp() WHERE tenant_id = %s AND run = %s", [tenant, run])

    async def append_entry(
        self, tenant: str, run: str, *, kind: str, principal: str, at: str, data: dict[str, JsonValue], content: JsonValue = None
    ) -> str | None:
        """Append one gateway or platform entry to the run's chain; return the reference of its content.

        Raises:
            NotFound: there is no such run.
            InvalidInput: the content has no canonical form.
        """
        payload = None if content is None else await self._vault.seal(tenant, run, content)
        async with self._db.tenant(tenant) as tx:
            row = _found(await tx.row(RUN_BY_ID, {"tenant": tenant, "run": run}), run)
            if payload is not None:
                await _insert_payload(tx, tenant, run, payload)
            body = EntryBody(
                kind=kind,
                at=at,
                principal=principal,
                correlation_id=row["correlation_id"],
                epoch=row["epoch"] or 0,
                payload_digest=payload.salted_digest if payload else None,
                data=data if payload is None else {**data, "payload": payload.ref},
            )
            await append_body(tx, tenant, run, body)
        return None if payload is None else payload.ref


async def append_body(tx: Transaction, tenant: str, run: str, body: EntryBody) -> None:
    """Append one entry that is no fact to the run's chain."""
    await tx.execute(
        "SELECT append_entry(%s, %s, %s, %s, %s, %s, %s, %s)",
        [tenant, run, body.kind, body.principal, Int4(body.epoch), body.step, body.payload_digest, body.canonical()],
    )


async def _insert_payload(tx: Transaction, tenant: str, run: str, payload: SealedPayload) -> None:
    await tx.execute(
        "INSERT INTO payloads (tenant_id, ref, run, sealed) VALUES (%s, %s, %s, %s)", [tenant, payload.ref, run, payload.sealed]
    )


def _accepted_body(run: NewRun, row: Row, input_digest: str) -> EntryBody:
    return EntryBody(
        kind=Kind.RUN_ACCEPTED,
        at=rfc3339(row["created_at"]),
        principal=run.principal,
        correlation_id=run.correlation_id,
        epoch=0,
        payload_digest=input_digest,
        data={"definition": run.definition, "version": run.version, "definition_sha256": run.definition_sha256},
    )


def _found(row: Row | None, run: str) -> Row:
    if row is None:
        raise NotFound(f"there is no run {run}")
    return row


_SAME_IN_RUN = {*RunRow.model_fields} - {"tenant", "created_at", "updated_at", "closed_at", "erased_at", "head_hash", "error"}
_SAME_IN_EFFECT = {*EffectRow.model_fields} - {"started_at", "ended_at", "error"}
