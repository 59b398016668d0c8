"""The suite of `PolicyStore`, run on PostgreSQL and on its fake."""

import secrets

import pytest

from adapters.postgres.policies import PostgresPolicyStore
from adapters.postgres.pool import Database
from domain.errors import NotFound, VersionExists
from domain.policy_sets import PolicySetDraft, PolicyStore, StoredPolicySet
from tests.fakes_policies import FakePolicyStore

BY = "prn_1"


@pytest.fixture(params=["postgres", "fake"])
def store(request: pytest.FixtureRequest, db: Database) -> PolicyStore:
    """Each implementation."""
    return PostgresPolicyStore(db) if request.param == "postgres" else FakePolicyStore()


def draft(version: str, cedar: str = "permit") -> PolicySetDraft:
    """Build a set."""
    return PolicySetDraft(version=version, cedar=cedar, extends="1.0.0", comment="why")


class TestPolicyStore:
    async def test_keeps_sets_newest_first(self, store: PolicyStore, tenant: str) -> None:
        stored = await store.add(tenant, draft("1.0.0"), sha256="a" * 64, by=BY)
        await store.add(tenant, draft("1.1.0"), sha256="b" * 64, by=BY)
        assert [one.version for one in await store.sets(tenant)] == ["1.1.0", "1.0.0"]
        assert await store.get(tenant, "1.0.0") == stored
        assert (stored.cedar, stored.extends, stored.comment, stored.created_by) == ("permit", "1.0.0", "why", BY)

    async def test_keeps_a_version_as_it_was(self, store: PolicyStore, tenant: str) -> None:
        first = await store.add(tenant, draft("1.0.0"), sha256="a" * 64, by=BY)
        assert await store.add(tenant, draft("1.0.0"), sha256="a" * 64, by="prn_2") == first
        with pytest.raises(VersionExists):
            await store.add(tenant, draft("1.0.0", "forbid"), sha256="b" * 64, by=BY)

    async def test_says_which_decides(self, store: PolicyStore, tenant: str) -> None:
        assert await store.chosen(tenant) is None
        await store.add(tenant, draft("1.0.0"), sha256="a" * 64, by=BY)
        assert await store.chosen(tenant) is None
        await store.choose(tenant, "1.0.0", by=BY)
        chosen = await store.chosen(tenant)
        assert isinstance(chosen, StoredPolicySet)
        assert (chosen.version, chosen.active) == ("1.0.0", True)
        await store.choose(tenant, None, by=BY)
        assert await store.chosen(tenant) is None

    async def test_knows_no_set_of_another_tenant(self, store: PolicyStore, tenant: str) -> None:
        await store.add("other-tenant", draft(f"1.0.{secrets.randbelow(10**6)}"), sha256="a" * 64, by=BY)
        assert await store.sets(tenant) == []
        for version in ("1.0.0", "9.9.9"):
            with pytest.raises(NotFound):
                await store.get(tenant, version)
            with pytest.raises(NotFound):
                await store.choose(tenant, version, by=BY)
