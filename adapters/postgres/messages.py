"""Conversations, message by message, sealed; each digest is chained over all messages before it (JOURNAL §7)."""

import json

from psycopg.types.numeric import Int4

from adapters.postgres.pool import Database, Row, Transaction
from adapters.postgres.select_texts import MESSAGE_SLICE
from adapters.postgres.vault import Vault
from domain.canonical import digest_hex
from domain.errors import FactDiverged, ReferenceMissing
from domain.provider import Message
from domain.stores import ConversationHead, PayloadCipher

_INSERT = b"""
INSERT INTO messages (tenant_id, run, conversation, ordinal, digest, sealed)
SELECT %s, %s, %s, n.ordinal, n.digest, n.sealed FROM unnest(%s::integer[], %s::text[], %s::bytea[]) AS n(ordinal, digest, sealed)
ON CONFLICT (tenant_id, run, conversation, ordinal) DO NOTHING
"""
_LAST = b"SELECT * FROM messages WHERE tenant_id = %s AND run = %s AND conversation = %s ORDER BY ordinal DESC LIMIT %s"


class PostgresMessageStore:
    """Implements `MessageStore`; ordinals count from 1."""

    def __init__(self, db: Database, cipher: PayloadCipher | Vault) -> None:
        self._db = db
        self._ciphers = Vault.over(db, cipher).ciphers

    async def append(self, tenant: str, run: str, conversation: str, head: ConversationHead, messages: list[Message]) -> ConversationHead:
        """Append after `head`; the same messages again change nothing.

        Raises:
            FactDiverged: other messages stand there.
            ReferenceMissing: `head` is not what stands before them.
        """
        digests = _chain(head.digest, messages)
        if not messages:
            return head
        ordinals = [head.count + place for place in range(1, len(messages) + 1)]
        cipher = await self._ciphers.of_run(tenant, run)
        sealed = [
            cipher.seal(tenant, _place(run, conversation, ordinal), json.dumps(message.model_dump(mode="json")).encode())
            for ordinal, message in zip(ordinals, messages, strict=True)
        ]
        async with self._db.tenant(tenant) as tx:
            await _expect_head(tx, tenant, run, conversation, head)
            await tx.execute(_INSERT, [tenant, run, conversation, [Int4(n) for n in ordinals], digests, sealed])
            there = await _slice(tx, tenant, run, conversation, first=ordinals[0], last=ordinals[-1])
        if [row["digest"] for row in there] != digests:
            raise FactDiverged(f"other messages stand after message {head.count} of the conversation {conversation}")
        return ConversationHead(count=ordinals[-1], digest=digests[-1])

    async def load(self, tenant: str, run: str, conversation: str, head: ConversationHead) -> list[Message]:
        """Return the first `head.count` messages.

        Raises:
            ReferenceMissing: some are gone or changed, or the digest differs.
        """
        async with self._db.tenant(tenant) as tx:
            rows = await _slice(tx, tenant, run, conversation, first=1, last=head.count)
        cipher = await self._ciphers.of_run(tenant, run)
        messages = [_opened(cipher, tenant, row) for row in rows]
        digests = _chain("", messages)
        if len(rows) != head.count or (digests[-1] if digests else "") != head.digest:
            raise ReferenceMissing(f"the conversation {conversation} of run {run} is not what its head of {head.count} messages names")
        return messages

    async def last(self, tenant: str, run: str, conversation: str, *, limit: int) -> list[Message]:
        """Return the last messages in their order; none when there are none, or they are erased."""
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(_LAST, [tenant, run, conversation, limit])
        if not rows:
            return []
        cipher = await self._ciphers.of_run(tenant, run)
        return [_opened(cipher, tenant, row) for row in reversed(rows)]


def _opened(cipher: PayloadCipher, tenant: str, row: Row) -> Message:
    plain = cipher.open(tenant, _place(row["run"], row["conversation"], row["ordinal"]), row["sealed"])
    return Message.model_validate_json(plain)


def _place(run: str, conversation: str, ordinal: int) -> str:
    return f"messages/{run}/{conversation}/{ordinal}"


def _chain(before: str, messages: list[Message]) -> list[str]:
    digests: list[str] = []
    for message in messages:
        before = digest_hex("standfast:message:v1", {"before": before, "message": message.model_dump(mode="json")})
        digests.append(before)
    return digests


async def _slice(tx: Transaction, tenant: str, run: str, conversation: str, *, first: int, last: int) -> list[Row]:
    return await tx.rows(
        MESSAGE_SLICE, {"tenant": tenant, "run": run, "conversation": conversation, "first": Int4(first), "last": Int4(last)}
    )


async def _expect_head(tx: Transaction, tenant: str, run: str, conversation: str, head: ConversationHead) -> None:
    rows = await _slice(tx, tenant, run, conversation, first=head.count, last=head.count) if head.count else []
    if (rows[0]["digest"] if rows else "") != head.digest:
        raise ReferenceMissing(f"message {head.count} of the conversation {conversation} of run {run} is not the one its head names")
