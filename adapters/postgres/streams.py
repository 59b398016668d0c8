"""What watchers of streams read: standing, entries, deltas and settled texts."""

import json
from typing import cast

from psycopg.types.numeric import Int4
from pydantic import JsonValue

from adapters.postgres.deltas import place_of
from adapters.postgres.ledger import PostgresLedgerReader
from adapters.postgres.pool import Database
from adapters.postgres.stream_queries import PIECES, SETTLED, STANDING
from adapters.postgres.vault import Vault
from domain.deltas import StreamKey
from domain.errors import NotFound, ReferenceMissing
from domain.estimates import text_bytes
from domain.ledger import Kind, StoredEntry
from domain.provider import Delta
from domain.runs import RunStatus
from domain.stores import PayloadCipher
from domain.streams import Piece

OUTPUT_BYTES_MAX = 64 * 1024
"""A larger output of a tool is no part of its event; the event says how large it is."""


class PostgresStreamReader:
    """Implements `StreamReader`."""

    def __init__(self, db: Database, cipher: PayloadCipher | Vault) -> None:
        self._db = db
        self._vault = Vault.over(db, cipher)
        self._ledger = PostgresLedgerReader(db)

    async def standing(self, tenant: str, run: str) -> tuple[RunStatus, int]:
        """Return status and head.

        Raises:
            NotFound: there is no such run.
        """
        rows = await self._db.select_all(STANDING, [tenant, run])
        if not rows:
            raise NotFound(f"there is no run {run}")
        return RunStatus(rows[0]["status"]), int(rows[0]["head_seq"])

    async def entries(self, tenant: str, run: str, *, after: int, limit: int) -> list[StoredEntry]:
        """Return entries in order."""
        return await self._ledger.entries(tenant, run, after=after, limit=limit)

    async def pieces(self, key: StreamKey, *, after: int, limit: int) -> list[Piece]:
        """Return deltas in order; none of a run that was erased."""
        place = [key.tenant, key.run, key.step, Int4(key.visit), key.call, Int4(key.epoch), Int4(key.attempt)]
        rows = await self._db.select_all(PIECES, [*place, Int4(after), limit])
        found: list[Piece] = []
        for row in rows:
            try:
                cipher = await self._vault.ciphers.of_run(key.tenant, key.run)
                told = json.loads(cipher.open(key.tenant, place_of(key, row["last"]), bytes(row["sealed"])))
            except ReferenceMissing:
                break
            deltas = [None if delta is None else Delta.model_validate(delta) for delta in told["deltas"]]
            found += [Piece(number=number, delta=delta) for number, delta in enumerate(deltas, start=told["first"]) if number > after]
        return found

    async def settled(self, key: StreamKey, kind: str) -> dict[str, JsonValue]:
        """Return an answer's text and calls, or a tool's output unless it is large; {} when it is erased."""
        rows = await self._db.select_all(SETTLED, [key.tenant, key.run, key.step, Int4(key.visit), key.call])
        if not rows:
            return {}
        try:
            stored = await self._vault.open(key.tenant, key.run, rows[0]["ref"], rows[0]["sealed"])
        except ReferenceMissing:
            return {}
        if kind != Kind.MODEL_ANSWERED:
            size = text_bytes(stored)
            told: dict[str, JsonValue] = {"output": stored} if size <= OUTPUT_BYTES_MAX else {"output_bytes": size}
            return {**told, "request_sha256": rows[0]["request"]}
        reply = cast("dict[str, JsonValue]", stored).get("reply") if isinstance(stored, dict) else None
        if not isinstance(reply, dict):
            return {}
        called = cast("list[dict[str, JsonValue]]", reply.get("tool_calls") or [])
        calls: list[JsonValue] = [{"name": call["name"], "arguments": call["arguments"]} for call in called]
        stop = cast("dict[str, JsonValue]", stored).get("stop")
        unusual: dict[str, JsonValue] = {"stop": stop} if stop in ("refused", "length") else {}
        shown: dict[str, JsonValue] = {"text": str(reply.get("text") or ""), **unusual}
        return {**shown, "calls": calls} if calls else shown
