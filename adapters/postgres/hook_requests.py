"""Requests of inbound webhooks: each is accepted once, together with its run or dead letter; signals are aimed at one run (PROOF S9)."""

from typing import cast

from pydantic import JsonValue

from adapters.postgres import hook_queries as sql
from adapters.postgres.dead_letters import add_within
from adapters.postgres.pool import Database, Row, Transaction
from adapters.postgres.run_entries import append_body
from adapters.postgres.runs import PostgresRunStore
from adapters.postgres.sealing import open_text, seal_text
from adapters.postgres.values import decode_cursor, encode_cursor, rfc3339, rfc3339_or_none, storable_or_none
from adapters.postgres.vault import Vault
from domain.dead_letters import NewDeadLetter
from domain.errors import NotFound
from domain.hook_stores import HeldRequest, HookRequest, NewHookRequest, RequestState
from domain.hooks import PlannedSignal, signal_id
from domain.ledger import EntryBody, Kind
from domain.stores import NewRun, Page

_SAME = ("hook", "webhook_id", "first", "state", "run", "correlation_id", "attempts", "detail")


class PostgresHookRequestStore:
    """Implements `HookRequestStore`."""

    def __init__(self, db: Database, vault: Vault, runs: PostgresRunStore) -> None:
        self._db = db
        self._vault = vault
        self._runs = runs

    async def accept(
        self, request: NewHookRequest, *, run: NewRun | None = None, letter: NewDeadLetter | None = None
    ) -> tuple[HookRequest, bool]:
        """Insert the request with its run or its dead letter in one transaction; a known one is returned as it stands.

        Raises:
            InvalidInput: the run's input has no canonical form.
            BodyTooLarge: it is over the limit of a payload.
        """
        fields = {**request.model_dump(exclude={"held", "source"}), "run": run.run if run else None, "held": self._sealed(request)}
        async with self._db.tenant(request.tenant) as tx:
            fresh = await tx.row(sql.INSERT_REQUEST, {**fields, "tenant": request.tenant}) is not None
            if fresh and run is not None:
                await self._start(tx, request, run)
            if fresh and letter is not None:
                await add_within(tx, self._vault, letter)
            row = cast("Row", await tx.row(sql.KNOWN_REQUEST, {**fields, "tenant": request.tenant}))
        return _request(row), fresh

    async def _start(self, tx: Transaction, request: NewHookRequest, run: NewRun) -> None:
        await self._runs.accept_within(tx, run)
        await append_body(tx, run.tenant, run.run, _entry(Kind.HOOK_RECEIVED, request.hook, request.correlation_id, request.at, request))

    async def get(self, tenant: str, hook: str, webhook_id: str) -> HookRequest:
        """Return one.

        Raises:
            NotFound: there is none of that id.
        """
        async with self._db.tenant(tenant) as tx:
            return _request(await _row(tx, tenant, hook, webhook_id))

    async def page(self, tenant: str, hook: str, *, limit: int, cursor: str | None) -> Page[HookRequest]:
        """Return one page, newest first.

        Raises:
            NotFound: there is no such hook.
            BadRequest: the cursor is none of this list.
        """
        received_at, webhook_id = decode_cursor(cursor, 2) if cursor else ("infinity", "")
        place = {"tenant": tenant, "hook": hook, "received_at": received_at, "webhook_id": webhook_id, "limit": limit + 1}
        async with self._db.tenant(tenant) as tx:
            if await tx.row(b"SELECT 1 AS one FROM hooks WHERE tenant_id = %(tenant)s AND hook = %(hook)s", place) is None:
                raise NotFound(f"there is no hook {hook}")
            rows = await tx.rows(sql.REQUEST_PAGE, place)
        items = tuple(_request(row) for row in rows[:limit])
        return Page(items=items, next_cursor=encode_cursor(items[-1].received_at, items[-1].webhook_id) if len(rows) > limit else None)

    async def held(self, tenant: str, hook: str, webhook_id: str) -> HeldRequest | None:
        """Return what is kept of a request, None when it is done.

        Raises:
            NotFound: there is none of that id.
            ReferenceMissing: it cannot be opened any more.
        """
        async with self._db.tenant(tenant) as tx:
            row = await _row(tx, tenant, hook, webhook_id)
        return self._opened(tenant, hook, webhook_id, row["held"])

    async def unsettled(self, tenant: str, *, idle_seconds: float, limit: int) -> list[HookRequest]:
        """Return waiting and sending requests that were not tried for that long, those tried longest ago first."""
        async with self._db.tenant(tenant) as tx:
            return [_request(row) for row in await tx.rows(sql.UNSETTLED, {"tenant": tenant, "seconds": idle_seconds, "limit": limit})]

    async def aim(self, tenant: str, hook: str, webhook_id: str, *, hashed: str | None, at: str) -> HookRequest:
        """Claim a run for a waiting request's signal, and write its entry; the row says whether there was one.

        Raises:
            NotFound: there is no such request.
            ReferenceMissing: what is kept of it cannot be opened any more.
        """
        place = {"tenant": tenant, "hook": hook, "webhook_id": webhook_id}
        async with self._db.tenant(tenant) as tx:
            tried = await tx.row(sql.TRY_REQUEST, place)
            held = None if tried is None else self._opened(tenant, hook, webhook_id, tried["held"])
            if tried is not None and tried["state"] == "waiting" and held is not None and held.signal is not None:
                run = await self._claimed(tx, place, held.signal, hashed)
                if run is not None:
                    await self._aimed(tx, place, held, run, at)
            return _request(await _row(tx, tenant, hook, webhook_id))

    async def _claimed(self, tx: Transaction, place: dict[str, str], signal: PlannedSignal, hashed: str | None) -> str | None:
        if signal.run is not None:
            row = await tx.row(sql.OPEN_RUN, {**place, "run": signal.run})
        else:
            row = await tx.row(sql.CLAIM_LISTENER, {**place, "hash": hashed, "request": f"{place['hook']}/{place['webhook_id']}"})
        return None if row is None else row["run"]

    async def _aimed(self, tx: Transaction, place: dict[str, str], held: HeldRequest, run: str, at: str) -> None:
        tenant, signal = place["tenant"], cast("PlannedSignal", held.signal)
        cipher = await self._vault.ciphers.within(tx, tenant, run)
        payload = await self._vault.seal_with(cipher, tenant, run, {"key": signal.key, "payload": signal.payload})
        await tx.execute(
            "INSERT INTO payloads (tenant_id, ref, run, sealed) VALUES (%s, %s, %s, %s)", [tenant, payload.ref, run, payload.sealed]
        )
        kept = held.model_copy(update={"signal": signal.model_copy(update={"ref": payload.ref})})
        sealed = seal_text(self._vault.ciphers.of_tenant, tenant, _place(place["hook"], place["webhook_id"]), kept.model_dump(mode="json"))
        await tx.execute(sql.AIMED, {**place, "run": run, "held": sealed})
        known = cast("Row", await tx.row(sql.RUN_EPOCH, {"tenant": tenant, "run": run}))
        body = _entry(Kind.SIGNAL_SENT, place["hook"], known["correlation_id"], at, None)
        said: dict[str, JsonValue] = {
            "hook": place["hook"],
            "webhook": place["webhook_id"],
            "signal": signal.signal,
            "payload": payload.ref,
        }
        data = {**said, "id": signal_id(place["hook"], place["webhook_id"])}
        known_as = {"epoch": known["epoch"] or 0, "payload_digest": payload.salted_digest, "data": data}
        await append_body(tx, tenant, run, body.model_copy(update=known_as))

    async def unaim(self, tenant: str, hook: str, webhook_id: str) -> None:
        """Let a sending request wait for another run."""
        async with self._db.tenant(tenant) as tx:
            await tx.execute(sql.UNAIM, {"tenant": tenant, "hook": hook, "webhook_id": webhook_id})

    async def settle(
        self,
        tenant: str,
        hook: str,
        webhook_id: str,
        *,
        state: RequestState,
        detail: str | None = None,
        letter: NewDeadLetter | None = None,
    ) -> None:
        """End an unsettled request, with its dead letter in the same transaction; a settled one stays as it is."""
        fields = {"tenant": tenant, "hook": hook, "webhook_id": webhook_id, "state": state, "detail": storable_or_none(detail)}
        async with self._db.tenant(tenant) as tx:
            if await tx.affected(sql.SETTLE, fields) and letter is not None:
                await add_within(tx, self._vault, letter)

    async def revive(self, request: NewHookRequest, *, run: NewRun | None = None) -> HookRequest:
        """Take a dead request up again, with its run, once.

        Raises:
            NotFound: there is no such request.
        """
        place = {"tenant": request.tenant, "hook": request.hook, "webhook_id": request.webhook_id}
        fields = {**place, "first": request.first, "run": run.run if run else None, "held": self._sealed(request)}
        async with self._db.tenant(request.tenant) as tx:
            if await tx.affected(sql.REVIVE, fields) and run is not None:
                await self._start(tx, request, run)
            return _request(await _row(tx, **place))

    def _sealed(self, request: NewHookRequest) -> bytes | None:
        if request.held is None:
            return None
        place = _place(request.hook, request.webhook_id)
        return seal_text(self._vault.ciphers.of_tenant, request.tenant, place, request.held.model_dump(mode="json"))

    def _opened(self, tenant: str, hook: str, webhook_id: str, sealed: bytes | None) -> HeldRequest | None:
        if sealed is None:
            return None
        return HeldRequest.model_validate(open_text(self._vault.ciphers.of_tenant, tenant, _place(hook, webhook_id), sealed))


def _place(hook: str, webhook_id: str) -> str:
    return f"hook_requests/{hook}/{webhook_id}"


def _entry(kind: Kind, hook: str, correlation_id: str, at: str, request: NewHookRequest | None) -> EntryBody:
    data: dict[str, JsonValue] = {} if request is None else {"hook": hook, "name": request.source, "webhook": request.webhook_id}
    return EntryBody(kind=kind, at=at, principal=hook, correlation_id=correlation_id, epoch=0, data=data)


def _request(row: Row) -> HookRequest:
    times = {"received_at": rfc3339(row["received_at"]), "settled_at": rfc3339_or_none(row["settled_at"])}
    return HookRequest.model_validate({**{name: row[name] for name in _SAME}, **times, "tenant": row["tenant_id"]})


async def _row(tx: Transaction, tenant: str, hook: str, webhook_id: str) -> Row:
    row = await tx.row(sql.REQUEST, {"tenant": tenant, "hook": hook, "webhook_id": webhook_id})
    if row is None:
        raise NotFound(f"the hook {hook} has no request {webhook_id}")
    return row
