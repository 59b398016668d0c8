"""The store of aliases of models: one suite for PostgreSQL and for the fake."""

import pytest

from adapters.postgres.model_aliases import PostgresAliasStore
from adapters.postgres.pool import Database
from domain.errors import NotFound
from domain.fallbacks import Fallback
from domain.model_table import AliasStore, ModelAlias
from tests.fakes_models import FakeAliases

FAST = ModelAlias(model="anthropic/claude-haiku-4-5", fallbacks=(Fallback(model="openai/gpt-5-mini", on=("overload",)),))


@pytest.fixture(params=["postgres", "fake"])
def store(request: pytest.FixtureRequest, db: Database) -> AliasStore:
    """Each implementation."""
    return PostgresAliasStore(db) if request.param == "postgres" else FakeAliases()


class TestAliasStore:
    async def test_keeps_what_a_word_stands_for(self, store: AliasStore, tenant: str) -> None:
        stored = await store.put(tenant, "fast", FAST, principal="prn_a")
        await store.put(tenant, "cheap", ModelAlias(model="gemini/gemini-3.5-flash"), principal="prn_b")
        assert (stored.alias, stored.model, stored.fallbacks, stored.set_by) == ("fast", FAST.model, FAST.fallbacks, "prn_a")
        assert [one.alias for one in await store.all(tenant)] == ["cheap", "fast"]
        assert (await store.all(tenant))[1] == stored

    async def test_takes_a_new_meaning_for_an_old_word(self, store: AliasStore, tenant: str) -> None:
        await store.put(tenant, "fast", FAST, principal="prn_a")
        await store.put(tenant, "fast", ModelAlias(model="openai/gpt-5"), principal="prn_b")
        [found] = await store.all(tenant)
        assert (found.model, found.fallbacks, found.set_by) == ("openai/gpt-5", (), "prn_b")

    async def test_forgets_a_word(self, store: AliasStore, tenant: str) -> None:
        await store.put(tenant, "fast", FAST, principal="prn_a")
        await store.remove(tenant, "fast")
        assert await store.all(tenant) == []
        with pytest.raises(NotFound):
            await store.remove(tenant, "fast")

    async def test_shows_nobody_another_tenants_words(self, store: AliasStore, tenant: str) -> None:
        await store.put(tenant, "fast", FAST, principal="prn_a")
        assert await store.all("other-tenant") == []
        with pytest.raises(NotFound):
            await store.remove("other-tenant", "fast")
