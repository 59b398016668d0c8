"""Vectors of another embedder are made anew when their namespace is searched: a bounded number each time, and nothing is lost.

Beside `adapters/postgres/memory.py`, which searches. The text stays sealed where it is; only vector and embedder of a record change.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from psycopg.types.numeric import Int4

from adapters.postgres.pool import Database, Row
from adapters.postgres.vault import Vault
from domain.envelope import Usage
from domain.errors import ReferenceMissing, ToolUnavailable
from domain.memory import Embedder

_BATCH = 16
"""Texts of one request; servers on a small machine take some 32 at most (Text Embeddings Inference's default)."""
_BATCH_CHARS = 16_000

STALE = b"""
SELECT record, run, embedder, sealed FROM memory_records
WHERE tenant_id = %(tenant)s AND namespace = %(namespace)s AND quarantine IS NULL AND embedder <> ALL(%(known)s)
ORDER BY record LIMIT %(most)s
"""
_RENEW = b"""
UPDATE memory_records SET embedder = %(embedder)s, embedding = %(embedding)s::real[]
WHERE tenant_id = %(tenant)s AND record = %(record)s AND embedder = %(was)s
"""
_REFUSED = b"UPDATE memory_records SET embedder = %(embedder)s WHERE tenant_id = %(tenant)s AND record = %(record)s AND embedder = %(was)s"


@dataclass(frozen=True, kw_only=True)
class RenewalLimits:
    """What one search renews at most; `seconds` is when the last request may begin."""

    texts: int = 256
    chars: int = 64_000
    seconds: float = 3.0


@dataclass(frozen=True)
class _Text:
    record: str
    was: str
    text: str


class Renewal:
    """Gives records of a namespace vectors of the embedder that is asked now."""

    def __init__(self, db: Database, vault: Vault, embedder: Embedder, limits: RenewalLimits) -> None:
        self._db = db
        self._vault = vault
        self._embedder = embedder
        self._limits = limits

    def stale(self, tenant: str, namespace: str, embedder: str) -> dict[str, object]:
        """Return the parameters of `STALE`: records whose vectors are not this embedder's, but for those that it refused."""
        known = [embedder, refused_by(embedder)]
        return {"tenant": tenant, "namespace": namespace, "known": known, "most": Int4(self._limits.texts)}

    async def renew(self, tenant: str, rows: list[Row], embedder: str) -> Usage:
        """Make vectors of these records' texts; return what they cost. It ends early where the embedder has no time now.

        Raises:
            ToolFailed: the embedder answers what cannot be used.
        """
        used, loop = Usage(), asyncio.get_running_loop()
        until = loop.time() + self._limits.seconds
        for batch in _batches(await self._texts(tenant, rows)):
            if loop.time() > until:
                break
            try:
                made = await self._embedder.embed([one.text for one in batch])
            except ToolUnavailable:
                break
            used += made.usage
            if made.embedder == embedder:
                await self._store(tenant, zip(batch, made.vectors, strict=True), embedder)
        return used

    async def _texts(self, tenant: str, rows: list[Row]) -> list[_Text]:
        """Open the texts, as many as one search may renew."""
        await self._vault.ciphers.learn(tenant, {row["run"] for row in rows})
        texts: list[_Text] = []
        left = self._limits.chars
        for row in rows:
            try:
                cipher = await self._vault.ciphers.of_run(tenant, row["run"])
            except ReferenceMissing:  # its run is being erased in this moment
                continue
            text = cipher.open(tenant, place_of(row["record"]), bytes(row["sealed"])).decode()
            left -= len(text)
            if left < 0 and texts:
                break
            texts.append(_Text(row["record"], row["embedder"], text))
        return texts

    async def _store(self, tenant: str, made: Iterator[tuple[_Text, list[float] | None]], embedder: str) -> None:
        """Write the new vectors; a text that was refused keeps its old one, and is not asked for again."""
        async with self._db.tenant(tenant) as tx:
            for one, vector in made:
                fields = {"tenant": tenant, "record": one.record, "was": one.was}
                if vector is None:
                    await tx.execute(_REFUSED, {**fields, "embedder": refused_by(embedder)})
                else:
                    await tx.execute(_RENEW, {**fields, "embedder": embedder, "embedding": vector})


def refused_by(embedder: str) -> str:
    """Return what stands as the embedder of a record whose text this one does not take."""
    return f"refused by {embedder}"


def place_of(record: str) -> str:
    """Return where a record's text is sealed."""
    return f"memory/{record}"


def _batches(texts: list[_Text]) -> Iterator[list[_Text]]:
    """Cut texts into requests of a bearable size; a text alone is always one."""
    batch: list[_Text] = []
    for one in texts:
        if batch and (len(batch) == _BATCH or sum(len(each.text) for each in batch) + len(one.text) > _BATCH_CHARS):
            yield batch
            batch = []
        batch.append(one)
    if batch:
        yield batch
