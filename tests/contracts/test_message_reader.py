"""The last messages of a conversation: one suite for PostgreSQL and for the fake."""

import pytest

from adapters.postgres.messages import PostgresMessageStore
from adapters.postgres.pool import Database
from domain.errors import FactDiverged, ReferenceMissing
from domain.provider import Message
from domain.stores import ConversationHead
from tests.adapters.postgres.sealing_by_xor import XorCipher
from tests.contracts.journal_bench import RUN
from tests.contracts.postgres_bench import PostgresBench
from tests.fakes_messages import FakeMessageStore

START = ConversationHead(count=0, digest="")


@pytest.fixture(params=["postgres", "fake"])
async def store(request: pytest.FixtureRequest, db: Database, tenant: str) -> PostgresMessageStore | FakeMessageStore:
    """Each implementation, with a run."""
    await PostgresBench(db, tenant).accept()
    return PostgresMessageStore(db, XorCipher()) if request.param == "postgres" else FakeMessageStore()


class TestLastMessages:
    async def test_come_in_their_order(self, store: PostgresMessageStore | FakeMessageStore, tenant: str) -> None:
        said = [Message(role="user", text=str(number)) for number in range(5)]
        await store.append(tenant, RUN, "review#1", START, said)
        assert await store.last(tenant, RUN, "review#1", limit=2) == said[-2:]
        assert await store.last(tenant, RUN, "review#1", limit=9) == said

    async def test_are_none_of_another_conversation_or_tenant(self, store: PostgresMessageStore | FakeMessageStore, tenant: str) -> None:
        await store.append(tenant, RUN, "review#1", START, [Message(role="user", text="x")])
        assert await store.last(tenant, RUN, "review#2", limit=2) == []
        assert await store.last("other", RUN, "review#1", limit=2) == []

    async def test_are_those_that_were_appended(self, store: PostgresMessageStore | FakeMessageStore, tenant: str) -> None:
        said = [Message(role="user", text="x")]
        head = await store.append(tenant, RUN, "review#1", START, said)
        assert await store.append(tenant, RUN, "review#1", START, said) == head
        assert await store.load(tenant, RUN, "review#1", head) == said
        with pytest.raises(FactDiverged):
            await store.append(tenant, RUN, "review#1", START, [Message(role="user", text="y")])
        with pytest.raises(ReferenceMissing):
            await store.load(tenant, RUN, "review#1", ConversationHead(count=1, digest="0"))
