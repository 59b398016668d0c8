"""Memory on pgvector: texts sealed under their run's key, vectors compared by the server, all within a tenant (domain/memory.py)."""

from typing import cast

from psycopg import sql
from psycopg.types.numeric import Int4

from adapters.postgres.extensions import MISSING
from adapters.postgres.memory_renewal import STALE, Renewal, RenewalLimits, place_of
from adapters.postgres.pool import Database, Row
from adapters.postgres.values import decode_cursor, encode_cursor, rfc3339
from adapters.postgres.vault import Vault
from domain.errors import InvalidInput, NotFound, ReferenceMissing, ToolFailed
from domain.memory import RECORDS_MAX, Embedded, Embedder, MemoryRecord, NewMemory, Quarantine, Recall, SavedMemory, suspicion
from domain.stores import Page, PayloadCipher

_COLUMNS = b"record, namespace, run, agent, labels, quarantine, sealed, saved_at"
_COUNT = b"SELECT count(*) AS n FROM memory_records WHERE tenant_id = %(tenant)s AND namespace = %(namespace)s"
_INSERT = b"""
INSERT INTO memory_records (tenant_id, record, namespace, run, agent, embedder, embedding, labels, quarantine, sealed)
VALUES (%(tenant)s, %(record)s, %(namespace)s, %(run)s, %(agent)s, %(embedder)s, %(embedding)s::real[], %(labels)s, %(quarantine)s,
    %(sealed)s)
ON CONFLICT (tenant_id, record) DO NOTHING
"""
_ONE = b"SELECT " + _COLUMNS + b" FROM memory_records WHERE tenant_id = %(tenant)s AND record = %(record)s"
_PAGE = (
    b"SELECT "
    + _COLUMNS
    + b" FROM memory_records WHERE tenant_id = %(tenant)s AND (%(namespace)s::text IS NULL OR namespace = %(namespace)s)"
    b" AND (NOT %(quarantined)s OR quarantine IS NOT NULL) AND record > %(after)s ORDER BY record LIMIT %(limit)s"
)
_SCHEMA = b"SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'"
_NEAREST = """
SELECT record, namespace, run, agent, labels, quarantine, sealed, saved_at,
    1 - (embedding::{schema}.vector OPERATOR({schema}.<=>) %(vector)s::real[]::{schema}.vector) AS score
FROM memory_records
WHERE tenant_id = %(tenant)s AND namespace = %(namespace)s AND embedder = %(embedder)s AND quarantine IS NULL
ORDER BY score DESC, record LIMIT %(limit)s
"""
_UNSEARCHED = (
    b"SELECT count(*) AS n FROM memory_records WHERE tenant_id = %(tenant)s AND namespace = %(namespace)s"
    b" AND quarantine IS NULL AND embedder <> %(embedder)s"
)


class PostgresMemory:
    """Implements `domain.memory.Memory` and `domain.memory.MemoryDesk`."""

    def __init__(self, db: Database, cipher: PayloadCipher | Vault, embedder: Embedder, *, limits: RenewalLimits | None = None) -> None:
        self._db = db
        self._vault = Vault.over(db, cipher)
        self._embedder = embedder
        self._renewal = Renewal(db, self._vault, embedder, limits or RenewalLimits())
        self._nearest: bytes | None = None

    async def save(self, memory: NewMemory) -> SavedMemory:
        """Keep a text; the same effect again finds its record.

        Raises:
            InvalidInput: the namespace is full.
            ToolFailed: the embedder does not take the text. ToolUnavailable: it has no time now.
        """
        record = f"mem_{memory.key[:26]}"
        made = await self._embedder.embed([memory.text])
        cipher = await self._vault.ciphers.of_run(memory.tenant, memory.run)
        place = {"tenant": memory.tenant, "record": record, "namespace": memory.namespace}
        fields = {
            "run": memory.run,
            "agent": memory.agent,
            "embedder": made.embedder,
            "embedding": _vector_of(made),
            "labels": list(memory.labels),
            "quarantine": suspicion(memory.text),
            "sealed": cipher.seal(memory.tenant, place_of(record), memory.text.encode()),
        }
        async with self._db.tenant(memory.tenant) as tx:
            row = await tx.row(_ONE, place)
            if row is None:
                count = await tx.row(_COUNT, place)
                if count is not None and count["n"] >= RECORDS_MAX:
                    raise InvalidInput(
                        f"the namespace {memory.namespace} holds {RECORDS_MAX} records, which is all it may", where="/namespace"
                    )
                await tx.execute(_INSERT, {**place, **fields})
                row = await tx.row(_ONE, place)
        return SavedMemory(record=await self._opened(memory.tenant, cast("Row", row)), usage=made.usage)

    async def search(self, tenant: str, namespace: str, query: str, *, limit: int) -> Recall:
        """Return the records most like a text, best first, without those in quarantine.

        Records whose vectors are another embedder's get new ones first, a bounded number in each search; those left are counted.

        Raises:
            ToolFailed: the database lacks pgvector (it says how to get it), or the embedder does not take the text.
            ToolUnavailable: the embedder has no time now.
        """
        nearest = self._nearest or await self._compiled(tenant)
        asked = await self._embedder.embed([query])
        vector, used = _vector_of(asked), asked.usage
        async with self._db.tenant(tenant) as tx:
            stale = await tx.rows(STALE, self._renewal.stale(tenant, namespace, asked.embedder))
        if stale:
            used += await self._renewal.renew(tenant, stale, asked.embedder)
        place = {"tenant": tenant, "namespace": namespace, "embedder": asked.embedder, "vector": vector, "limit": Int4(limit)}
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(nearest, place)
            left = await tx.row(_UNSEARCHED, place)
        return Recall(records=await self._all_opened(tenant, rows), unsearched=left["n"] if left else 0, usage=used)

    async def page(
        self, tenant: str, *, namespace: str | None = None, quarantined: bool = False, limit: int = 50, cursor: str | None = None
    ) -> Page[MemoryRecord]:
        """Return one page by id, records in quarantine too; `quarantined` leaves out the others.

        Raises:
            BadRequest: the cursor is none of this list.
        """
        after = decode_cursor(cursor, 1)[0] if cursor else ""
        place = {"tenant": tenant, "namespace": namespace, "quarantined": quarantined, "after": after, "limit": Int4(limit + 1)}
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(_PAGE, place)
        more = encode_cursor(rows[limit - 1]["record"]) if len(rows) > limit else None
        return Page(items=tuple(await self._all_opened(tenant, rows[:limit])), next_cursor=more)

    async def review(self, tenant: str, record: str, *, quarantine: Quarantine | None, by: str) -> MemoryRecord:
        """Put a record into quarantine, or let it out.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        change = (
            b"UPDATE memory_records SET quarantine = %(why)s, reviewed_by = %(by)s WHERE tenant_id = %(tenant)s AND record = %(record)s"
        )
        place = {"tenant": tenant, "record": record, "why": quarantine, "by": by}
        async with self._db.tenant(tenant) as tx:
            await tx.execute(change, place)
            row = await tx.row(_ONE, place)
        if row is None:
            raise NotFound(f"there is no memory {record}")
        return await self._opened(tenant, row)

    async def forget(self, tenant: str, record: str) -> None:
        """Remove a record.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        async with self._db.tenant(tenant) as tx:
            gone = await tx.affected(b"DELETE FROM memory_records WHERE tenant_id = %s AND record = %s", [tenant, record])
        if not gone:
            raise NotFound(f"there is no memory {record}")

    async def _compiled(self, tenant: str) -> bytes:
        """Return the statement that asks this database's pgvector, wherever its schema is.

        Raises:
            ToolFailed: there is none.
        """
        async with self._db.tenant(tenant) as tx:
            row = await tx.row(_SCHEMA)
        if row is None:
            raise ToolFailed(MISSING)
        self._nearest = sql.SQL(_NEAREST).format(schema=sql.Identifier(row["nspname"])).as_bytes(None)
        return self._nearest

    async def _all_opened(self, tenant: str, rows: list[Row]) -> list[MemoryRecord]:
        await self._vault.ciphers.learn(tenant, {row["run"] for row in rows})
        found: list[MemoryRecord] = []
        for row in rows:
            try:
                found.append(await self._opened(tenant, row))
            except ReferenceMissing:  # its run is being erased in this moment
                continue
        return found

    async def _opened(self, tenant: str, row: Row) -> MemoryRecord:
        cipher = await self._vault.ciphers.of_run(tenant, row["run"])
        text = cipher.open(tenant, place_of(row["record"]), bytes(row["sealed"])).decode()
        fields = {name: row[name] for name in ("record", "namespace", "run", "agent", "labels", "quarantine")}
        score = round(float(row["score"]), 4) if "score" in row else None
        return MemoryRecord.model_validate({**fields, "text": text, "saved_at": rfc3339(row["saved_at"]), "score": score})


def _vector_of(made: Embedded) -> list[float]:
    """Return the vector of the one text that was asked for.

    Raises:
        ToolFailed: the embedder does not take it.
    """
    vector = made.vectors[0]
    if vector is None:
        raise ToolFailed(f"memory could make no vector of this text: {made.refusal}")
    return vector
