"""A fake store of conversations, honest to the docstrings of `domain/stores.py`."""

from domain.canonical import digest_hex
from domain.errors import FactDiverged, ReferenceMissing
from domain.provider import Message
from domain.stores import ConversationHead


class FakeMessageStore:
    """MessageStore and MessageReader in memory."""

    def __init__(self) -> None:
        self._messages: dict[tuple[str, str, str], list[Message]] = {}

    async def append(self, tenant: str, run: str, conversation: str, head: ConversationHead, messages: list[Message]) -> ConversationHead:
        """Append after `head`."""
        there = self._messages.setdefault((tenant, run, conversation), [])
        if self._head(there[: head.count]) != head:
            raise ReferenceMissing("that is not what the head names")
        after = there[head.count :]
        if after and after[: len(messages)] != messages:
            raise FactDiverged("other messages stand there")
        there[head.count : head.count + len(messages)] = messages
        return self._head(there[: head.count + len(messages)])

    async def load(self, tenant: str, run: str, conversation: str, head: ConversationHead) -> list[Message]:
        """Return what the head names."""
        there = self._messages.get((tenant, run, conversation), [])[: head.count]
        if self._head(there) != head:
            raise ReferenceMissing("that is not what the head names")
        return there

    async def last(self, tenant: str, run: str, conversation: str, *, limit: int) -> list[Message]:
        """Return the end of it."""
        return self._messages.get((tenant, run, conversation), [])[-limit:]

    def _head(self, messages: list[Message]) -> ConversationHead:
        digest = ""
        for message in messages:
            digest = digest_hex("standfast:message:v1", {"before": digest, "message": message.model_dump(mode="json")})
        return ConversationHead(count=len(messages), digest=digest)
