"""Removes the content of runs: for a data subject's erasure, or after its term. One transaction with the ledger entries that say so.

What needs other systems, objects and Temporal histories, is left as a run's residue and cleared afterwards (`residues`, `cleared`).
"""

import re

from psycopg.types.numeric import Int8
from pydantic import JsonValue

from adapters.postgres import removal_queries as sql
from adapters.postgres.pool import Database, Row, Transaction
from adapters.postgres.removal_choice import plan_of, refuse, rows_of_subject, rows_past_term
from adapters.postgres.run_entries import append_body
from adapters.postgres.select_texts import ERASURE, ERASURE_PAGE
from adapters.postgres.values import decode_cursor, encode_cursor, rfc3339, rfc3339_or_none
from adapters.postgres.vault import Vault
from domain.errors import NotFound, ReferenceMissing
from domain.ledger import EntryBody, Kind
from domain.stores import Page, PayloadCipher
from domain.subjects import CertificateEntry, Contents, PurgeOrder, Removal, RemovalMode, RemovalOrder, RemovalPlan, Residue

CERTIFICATES = {"erase": Kind.SUBJECT_ERASED, "anonymise": Kind.SUBJECT_ANONYMISED, "purge": Kind.CONTENT_PURGED}
"""The ledger kind of each mode; every removed run's chain gets one entry."""

_RUN = re.compile(rb"run_[0-9a-z]{26}")


class PostgresRemovalStore:
    """Implements `RemovalStore`."""

    def __init__(self, db: Database, cipher: PayloadCipher | Vault) -> None:
        self._db = db
        self._ciphers = Vault.over(db, cipher).ciphers

    async def plan(self, tenant: str, subject: str) -> RemovalPlan:
        """Return what erasing a data subject would take, and what forbids it now.

        Raises:
            NotFound: it has no run.
            Erased: all its runs are erased.
            ErasureRefused: it is a run of another data subject.
        """
        async with self._db.tenant(tenant) as tx:
            rows = await rows_of_subject(tx, tenant, subject)
            return await plan_of(tx, tenant, subject, rows)

    async def erase(self, order: RemovalOrder) -> Removal:
        """Destroy the data subject's key and remove the content of its runs.

        Raises:
            NotFound, Erased, ErasureRefused: as `plan`; or a run is open.
            UnderLegalHold: a hold covers one of its runs.
        """
        place = {"tenant": order.tenant, "subject": order.subject}
        async with self._db.tenant(order.tenant) as tx:
            keys = [row["key_id"] for row in await tx.rows(sql.LOCK_KEYS, place)]
            rows = await rows_of_subject(tx, order.tenant, order.subject, lock=sql.LOCK_ROWS)
            refuse(await plan_of(tx, order.tenant, order.subject, rows))
            shown = order.replacement or order.subject
            params = {**place, "erasure": order.erasure, "mode": order.mode, "replacement": order.replacement, "subject": shown}
            await self._remove(tx, rows, {**params, "keys": keys, "principal": order.principal}, at=order.at)
        self._forget(order.tenant, rows)
        return (await self.get(order.tenant, order.erasure))[0]

    async def purge_plan(self, tenant: str, *, run: str | None, limit: int) -> RemovalPlan:
        """Return what a purge would take now.

        Raises:
            NotFound: there is no such run.
            Erased: it was removed before.
            InsideTerm: its term is not over, it is open, or no rule gives it a term.
            UnderLegalHold: a hold covers it.
        """
        async with self._db.tenant(tenant) as tx:
            return await plan_of(tx, tenant, None, await rows_past_term(tx, tenant, run, limit))

    async def purge(self, order: PurgeOrder) -> Removal | None:
        """Remove what is over its term, with the keys that no run needs any more; None when nothing is.

        Raises:
            NotFound, Erased, InsideTerm, UnderLegalHold: as `purge_plan`.
        """
        async with self._db.tenant(order.tenant) as tx:
            rows = await rows_past_term(tx, order.tenant, order.run, order.limit, lock=sql.LOCK_FREE_ROWS)
            if not rows:
                return None
            keys = sorted({row["subject_key"] for row in rows if row["subject_key"]})
            params = {"tenant": order.tenant, "erasure": order.erasure, "mode": "purge", "subject": None, "replacement": None, "keys": keys}
            await tx.rows(sql.LOCK_SOME_KEYS, params)
            await self._remove(tx, rows, {**params, "principal": order.principal}, at=order.at)
        self._forget(order.tenant, rows)
        return (await self.get(order.tenant, order.erasure))[0]

    async def _remove(self, tx: Transaction, rows: list[Row], params: dict[str, object], *, at: str) -> None:
        """Empty every table of these runs, destroy keys, write entries and the certificate; rows and keys are locked."""
        ready: dict[str, object] = {**params, "runs": [row["run"] for row in rows]}
        gone = {
            "payloads": await tx.affected(sql.DELETE_PAYLOADS, ready),
            "messages": await tx.affected(sql.DELETE_MESSAGES, ready),
            "approvals": await tx.affected(sql.EMPTY_APPROVALS, ready),
            "tasks": await tx.affected(sql.EMPTY_TASKS, ready),
        }
        await tx.execute(sql.EMPTY_DECISIONS, ready)
        await tx.execute(sql.EMPTY_EFFECTS, ready)
        await tx.execute(sql.EMPTY_DEAD_LETTERS, ready)
        await tx.execute(sql.EMPTY_RUNS, ready)
        keys = await tx.affected(sql.DESTROY_KEYS, ready)
        answers = await self._forget_answers(tx, ready, {str(row["run"]).encode() for row in rows})
        counts = {**gone, "answers": answers, "n_runs": len(rows), "n_keys": keys}
        await tx.execute(sql.RECORD, {**ready, **{name: Int8(count) for name, count in counts.items()}})
        for row in rows:
            await append_body(tx, str(params["tenant"]), row["run"], _certificate(row, params, at))

    async def _forget_answers(self, tx: Transaction, params: dict[str, object], runs: set[bytes]) -> int:
        """Delete stored answers that speak of these runs: they may show titles and comments. Answers of other runs stay."""
        tenant, gone = str(params["tenant"]), 0
        for row in await tx.rows(sql.ANSWERS, params):
            if self._speaks_of(tenant, row, runs):
                await tx.execute(sql.FORGET_ANSWER, {"tenant": tenant, "route": row["route"], "key": row["key"]})
                gone += 1
        return gone

    def _speaks_of(self, tenant: str, row: Row, runs: set[bytes]) -> bool:
        """Tell whether a stored answer names one of the runs; one that cannot be opened may go, since nobody can be given it."""
        try:
            body = self._ciphers.of_tenant.open(tenant, f"idempotency_keys/{row['route']}/{row['key']}", row["sealed"])
        except ReferenceMissing:
            return True
        return bool(runs & set(_RUN.findall(body)))

    def _forget(self, tenant: str, rows: list[Row]) -> None:
        for row in rows:
            self._ciphers.forget(tenant, row["run"])

    async def get(self, tenant: str, erasure: str) -> tuple[Removal, tuple[CertificateEntry, ...]]:
        """Return one removal and the ledger entries that certify it, at most 1,000.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        kinds = [kind.value for kind in (*CERTIFICATES.values(), Kind.REMOVAL_COMPLETED)]
        async with self._db.tenant(tenant) as tx:
            row = await tx.row(ERASURE, {"tenant": tenant, "erasure": erasure})
            if row is None:
                raise NotFound(f"there is no erasure {erasure}")
            entries = await tx.rows(sql.CERTIFICATE, {"tenant": tenant, "erasure": erasure, "kinds": kinds})
        certified = (CertificateEntry(run=e["run"], seq=e["seq"], kind=e["kind"], hash=bytes(e["hash"]).hex()) for e in entries)
        return _removal(row), tuple(certified)

    async def page(self, tenant: str, *, limit: int, cursor: str | None) -> Page[Removal]:
        """Return one page, oldest first.

        Raises:
            BadRequest: the cursor is none of this list.
        """
        requested_at, erasure = decode_cursor(cursor, 2) if cursor else ("-infinity", "")
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(ERASURE_PAGE, {"tenant": tenant, "requested_at": requested_at, "erasure": erasure, "limit": limit + 1})
        items = tuple(_removal(row) for row in rows[:limit])
        more = len(rows) > limit
        return Page(items=items, next_cursor=encode_cursor(items[-1].requested_at, items[-1].erasure) if more else None)

    async def residues(self, tenant: str, *, limit: int) -> list[Residue]:
        """Return removed runs whose objects and Temporal histories are still there."""
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(sql.RESIDUES, {"tenant": tenant, "limit": limit})
        return [Residue(run=row["run"], erasure=row["erasure"], epoch=row["epoch"]) for row in rows]

    async def counted(self, tenant: str, residue: Residue, *, objects: int, histories: int) -> None:
        """Remember how much there is to go; the first count stands."""
        place = {"tenant": tenant, "run": residue.run}
        async with self._db.tenant(tenant) as tx:
            await tx.execute(sql.COUNT_RESIDUE, {**place, "objects": Int8(objects), "histories": Int8(histories)})

    async def cleared(self, tenant: str, residue: Residue, *, at: str) -> None:
        """Remember that nothing is left of a run, with `platform:removal:completed`; the second time changes nothing."""
        place = {"tenant": tenant, "run": residue.run, "erasure": residue.erasure}
        async with self._db.tenant(tenant) as tx:
            await tx.rows(sql.LOCK_ERASURE, place)
            row = await tx.row(sql.CLEAR_RESIDUE, place)
            if row is None:
                return
            counts = {"objects": int(row["objects"]), "histories": int(row["histories"])}
            data: dict[str, JsonValue] = {"erasure": residue.erasure, **counts}
            await append_body(tx, tenant, residue.run, _body(Kind.REMOVAL_COMPLETED, at, "platform", row, data))
            await tx.execute(sql.ADD_CLEARED, {**place, **{name: Int8(count) for name, count in counts.items()}})

    async def known_refs(self, tenant: str, refs: list[str]) -> set[str]:
        """Return those references that a payload row has."""
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows("SELECT ref FROM payloads WHERE tenant_id = %s AND ref = ANY(%s)", [tenant, refs])
        return {row["ref"] for row in rows}


def _certificate(row: Row, params: dict[str, object], at: str) -> EntryBody:
    data: dict[str, JsonValue] = {"erasure": str(params["erasure"])}
    if params["mode"] != "purge":
        data["subject"] = str(params["subject"])
    if row["subject_key"]:
        data["key"] = str(row["subject_key"])
    mode: RemovalMode = "purge" if params["mode"] == "purge" else "erase" if params["mode"] == "erase" else "anonymise"
    return _body(CERTIFICATES[mode], at, str(params["principal"]), row, data)


def _body(kind: Kind, at: str, principal: str, row: Row, data: dict[str, JsonValue]) -> EntryBody:
    return EntryBody(kind=kind, at=at, principal=principal, correlation_id=row["correlation_id"], epoch=row["epoch"] or 0, data=data)


def _removal(row: Row) -> Removal:
    same = {name: row[name] for name in Removal.model_fields if name not in ("contents", "requested_at", "completed_at")}
    return Removal(
        requested_at=rfc3339(row["requested_at"]),
        completed_at=rfc3339_or_none(row["completed_at"]),
        contents=Contents.model_validate({name: row[name] for name in Contents.model_fields}),
        **same,
    )
