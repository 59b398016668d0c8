"""Dead letters: what was given up. Runs and effects add theirs by triggers; the rest comes by `add`, or `add_within` a transaction."""

from typing import Any, cast

from adapters.postgres import dead_letter_queries as sql
from adapters.postgres.pool import Database, Row, Transaction
from adapters.postgres.run_entries import append_body
from adapters.postgres.sealed_errors import open_error, seal_error
from adapters.postgres.sealing import open_text, seal_text
from adapters.postgres.values import decode_cursor, encode_cursor, rfc3339, rfc3339_or_none, storable
from adapters.postgres.vault import Vault
from domain.dead_letters import DeadLetter, DeadLetterFilter, DeadLetterKind, NewDeadLetter
from domain.errors import DeadLetterClaimed, DeadLetterClosed, NotFound
from domain.ledger import EntryBody, Kind
from domain.stores import Page, PayloadCipher

_SAME = ("dead_letter", "subject", "occasion", "run", "definition", "step", "cause", "attempts", "payload_ref", "state", "refused")


class PostgresDeadLetterStore:
    """Implements `DeadLetterStore`."""

    def __init__(self, db: Database, cipher: PayloadCipher | Vault) -> None:
        self._db = db
        self._vault = Vault.over(db, cipher)

    async def add(self, letter: NewDeadLetter) -> str:
        """Add one and return its id; the same failure again changes nothing.

        Raises:
            Erased: the content of its run is erased.
        """
        async with self._db.tenant(letter.tenant) as tx:
            return await add_within(tx, self._vault, letter)

    async def page(self, tenant: str, where: DeadLetterFilter) -> Page[DeadLetter]:
        """Return one page, newest last attempt first.

        Raises:
            BadRequest: the cursor is none of this list.
        """
        last_at, dead_letter = decode_cursor(where.cursor, 2) if where.cursor else ("infinity", "")
        params = {**where.model_dump(), "tenant": tenant, "last_at": last_at, "dead_letter": dead_letter, "limit": where.limit + 1}
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(sql.PAGE, params)
        await self._vault.ciphers.learn(tenant, {row["run"] for row in rows if row["run"]})
        items = tuple([await self.shown(row) for row in rows[: where.limit]])
        more = len(rows) > where.limit
        return Page(items=items, next_cursor=encode_cursor(items[-1].last_at, items[-1].dead_letter) if more else None)

    async def get(self, tenant: str, dead_letter: str) -> DeadLetter:
        """Return one.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        async with self._db.tenant(tenant) as tx:
            row = await _row(tx, tenant, dead_letter)
        return await self.shown(row)

    async def claim(self, tenant: str, dead_letter: str, *, lease_s: float) -> DeadLetter:
        """Claim an open one for a redrive.

        Raises:
            NotFound: there is none of that id in the tenant.
            DeadLetterClosed: it was redriven or discarded.
            DeadLetterClaimed: it is being redriven.
        """
        place = {"tenant": tenant, "dead_letter": dead_letter, "lease_s": lease_s}
        async with self._db.tenant(tenant) as tx:
            row = await tx.row(sql.CLAIM, place)
            if row is None:
                _refuse(await _row(tx, tenant, dead_letter))
        return await self.shown(cast("Row", row))

    async def release(self, tenant: str, dead_letter: str, *, refused: str | None = None) -> None:
        """Give a claim back; `refused` is the code with which the redrive was refused."""
        async with self._db.tenant(tenant) as tx:
            await tx.execute(sql.RELEASE, {"tenant": tenant, "dead_letter": dead_letter, "refused": refused})

    async def mark_redriven(self, tenant: str, dead_letter: str, *, by: str, reason: str | None, at: str) -> DeadLetter:
        """Close one as redriven, with its ledger entry where a run has one; the second time changes nothing.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        async with self._db.tenant(tenant) as tx:
            await _close(
                tx, self._vault, sql.REDRIVEN, Kind.DEAD_LETTER_REDRIVEN, await _row(tx, tenant, dead_letter), by=by, reason=reason, at=at
            )
            row = await _row(tx, tenant, dead_letter)
        return await self.shown(row)

    async def discard(self, tenant: str, dead_letter: str, *, by: str, reason: str, at: str) -> DeadLetter:
        """Close one for good, with its ledger entry.

        Raises:
            NotFound: there is none of that id in the tenant.
            DeadLetterClosed: it was redriven or discarded.
            DeadLetterClaimed: it is being redriven.
        """
        async with self._db.tenant(tenant) as tx:
            row = await _row(tx, tenant, dead_letter)
            if not await _close(tx, self._vault, sql.DISCARD, Kind.DEAD_LETTER_DISCARDED, row, by=by, reason=reason, at=at):
                _refuse(await _row(tx, tenant, dead_letter))
            if row["kind"] == DeadLetterKind.HOOK:
                await tx.execute(sql.EMPTY_REQUEST, {"tenant": tenant, "subject": row["subject"]})
            row = await _row(tx, tenant, dead_letter)
        return await self.shown(row)

    async def shown(self, row: Row) -> DeadLetter:
        """Return a row of the table as the domain knows it."""
        tenant, reason = row["tenant_id"], None
        error = await open_error(self._vault.ciphers, tenant, row["run"], row["error_place"], row["error"])
        if row["reason_sealed"] is not None:
            reason = str(open_text(self._vault.ciphers.of_tenant, tenant, _reason_place(row["dead_letter"]), row["reason_sealed"]))
        return DeadLetter(
            tenant=tenant,
            kind=DeadLetterKind(row["kind"]),
            detail=(error or {}).get("detail") or "",
            first_at=rfc3339(row["first_at"]),
            last_at=rfc3339(row["last_at"]),
            by=row["closed_by"] or (None if row["closed_at"] is None else "platform"),
            reason=reason,
            closed_at=rfc3339_or_none(row["closed_at"]),
            **{name: row[name] for name in _SAME},
        )


async def add_within(tx: Transaction, vault: Vault, letter: NewDeadLetter) -> str:
    """Add a dead letter inside a transaction of the caller, and return its id; the same failure again changes nothing.

    Raises:
        Erased: the content of its run is erased.
    """
    ciphers, place = vault.ciphers, f"dead_letters/{letter.id}/error"
    cipher = ciphers.of_tenant if letter.run is None else await ciphers.within(tx, letter.tenant, letter.run)
    error = seal_error(cipher, letter.tenant, place, {"code": letter.cause, "detail": storable(letter.detail)})
    row = await tx.row(
        sql.ADD, {**letter.model_dump(exclude={"cause", "detail"}), "kind": letter.kind.value, "error": error, "place": place}
    )
    return cast("Row", row)["dead_letter"]


async def redriven_with_run(tx: Transaction, vault: Vault, tenant: str, run: str, *, by: str, reason: str | None, at: str) -> None:
    """Name who opened a run again in the dead letters that this closed, inside the transaction that opens it."""
    for row in await tx.rows(sql.CLOSED_WITH_RUN, {"tenant": tenant, "run": run}):
        await _close(tx, vault, sql.REDRIVEN, Kind.DEAD_LETTER_REDRIVEN, row, by=by, reason=reason, at=at)


async def _close(tx: Transaction, vault: Vault, query: bytes, kind: Kind, row: Row, *, by: str, reason: str | None, at: str) -> bool:
    """Close a dead letter and append the entry to its run's chain; False when it is closed already."""
    tenant, dead_letter = row["tenant_id"], row["dead_letter"]
    sealed = None if reason is None else seal_text(vault.ciphers.of_tenant, tenant, _reason_place(dead_letter), storable(reason))
    closed = await tx.row(query, {"tenant": tenant, "dead_letter": dead_letter, "by": by, "reason": sealed})
    if closed is not None and closed["run"] is not None:
        await _note(tx, tenant, closed["run"], kind, dead_letter, by=by, at=at)
    return closed is not None


async def _note(tx: Transaction, tenant: str, run: str, kind: Kind, dead_letter: str, *, by: str, at: str) -> None:
    """Append the entry of a closed dead letter to its run's chain."""
    found = await tx.row(sql.RUN_OF, {"tenant": tenant, "run": run})
    if found is None:
        return
    place: dict[str, Any] = {"correlation_id": found["correlation_id"], "epoch": found["epoch"] or 0}  # Any: psycopg's rows are untyped
    await append_body(tx, tenant, run, EntryBody(kind=kind, at=at, principal=by, data={"dead_letter": dead_letter}, **place))


def _reason_place(dead_letter: str) -> str:
    return f"dead_letters/{dead_letter}/reason"


async def _row(tx: Transaction, tenant: str, dead_letter: str) -> Row:
    """Return the row.

    Raises:
        NotFound: there is none of that id in the tenant.
    """
    row = await tx.row(sql.GET, {"tenant": tenant, "dead_letter": dead_letter})
    if row is None:
        raise NotFound(f"there is no dead letter {dead_letter}")
    return row


def _refuse(row: Row) -> None:
    """Say why an open dead letter could not be had.

    Raises:
        DeadLetterClosed: it was redriven or discarded.
        DeadLetterClaimed: it is being redriven.
    """
    if row["state"] == "open":
        raise DeadLetterClaimed(f"the dead letter {row['dead_letter']} is being redriven at this moment", retry_after_s=1)
    raise DeadLetterClosed(f"the dead letter {row['dead_letter']} was {row['state']} by {row['closed_by'] or 'the platform'}")
