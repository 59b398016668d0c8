"""The store of agents and prompts: one suite for PostgreSQL and for the fake."""

import psycopg
import pytest

from adapters.postgres.agents import PostgresAgentStore
from adapters.postgres.pool import Database
from domain.agents import AgentStatus, AgentStore
from domain.errors import InvalidInput, VersionExists, WrongStatus
from tests.domain.agent_samples import manifest
from tests.fakes_agents import FakeAgentStore


@pytest.fixture(params=["postgres", "fake"])
def store(request: pytest.FixtureRequest, db: Database) -> AgentStore:
    """Each implementation."""
    return PostgresAgentStore(db) if request.param == "postgres" else FakeAgentStore()


class TestAgents:
    async def test_are_drafts_of_their_owner_at_first(self, store: AgentStore, tenant: str) -> None:
        made = await store.register(tenant, manifest(), owner="prn_o", principal="prn_a")
        assert (made.owner, made.registered_by, made.status) == ("prn_o", "prn_a", AgentStatus.DRAFT)
        assert made.sha256 == manifest().sha256() == made.manifest.sha256()
        assert await store.get(tenant, "reviewer", "1.0.0") == made

    async def test_stay_as_they_were_registered(self, store: AgentStore, tenant: str) -> None:
        made = await store.register(tenant, manifest(), owner="prn_o", principal="prn_a")
        assert await store.register(tenant, manifest(), owner="prn_x", principal="prn_b") == made
        with pytest.raises(VersionExists, match=r"raise its version|other content"):
            await store.register(tenant, manifest(text="Be lenient."), owner="prn_o", principal="prn_a")

    async def test_have_semantic_versions(self, store: AgentStore, tenant: str) -> None:
        with pytest.raises(InvalidInput):
            await store.register(tenant, manifest(version="one"), owner="o", principal="p")

    async def test_are_listed_by_name_and_then_newest_first(self, store: AgentStore, tenant: str) -> None:
        for name, version in (("b", "1.0.0"), ("a", "1.9.0"), ("a", "1.10.0")):
            await store.register(tenant, manifest(name=name, version=version), owner="o", principal="p")
        assert [(agent.name, agent.version) for agent in await store.all(tenant)] == [("a", "1.10.0"), ("a", "1.9.0"), ("b", "1.0.0")]
        assert {agent.version for agent in await store.named(tenant, ["a", "nobody"])} == {"1.10.0", "1.9.0"}

    async def test_are_nothing_to_another_tenant(self, store: AgentStore, tenant: str) -> None:
        made = await store.register(tenant, manifest(), owner="o", principal="p")
        assert await store.get("other", "reviewer", "1.0.0") is None
        assert await store.named("other", ["reviewer"]) == await store.all("other") == []
        assert await store.moves("other", "reviewer", "1.0.0") == []
        with pytest.raises(WrongStatus):
            await store.move("other", made, AgentStatus.REVIEW, principal="p", comment="")


class TestMoves:
    async def test_are_kept_with_who_made_them(self, store: AgentStore, tenant: str) -> None:
        made = await store.register(tenant, manifest(), owner="o", principal="prn_a")
        asked = await store.move(tenant, made, AgentStatus.REVIEW, principal="prn_a", comment="please")
        approved = await store.move(tenant, asked, AgentStatus.APPROVED, principal="prn_b", comment="good")
        assert approved.status is AgentStatus.APPROVED
        moves = await store.moves(tenant, "reviewer", "1.0.0")
        assert [(move.before, move.after, move.principal, move.comment) for move in moves] == [
            (None, AgentStatus.DRAFT, "prn_a", ""),
            (AgentStatus.DRAFT, AgentStatus.REVIEW, "prn_a", "please"),
            (AgentStatus.REVIEW, AgentStatus.APPROVED, "prn_b", "good"),
        ]

    async def test_begin_where_the_version_stands(self, store: AgentStore, tenant: str) -> None:
        made = await store.register(tenant, manifest(), owner="o", principal="p")
        await store.move(tenant, made, AgentStatus.REVIEW, principal="p", comment="")
        with pytest.raises(WrongStatus):
            await store.move(tenant, made, AgentStatus.RETIRED, principal="p", comment="")
        assert len(await store.moves(tenant, "reviewer", "1.0.0")) == 2


class TestPrompts:
    async def test_stay_as_they_were_registered(self, store: AgentStore, tenant: str) -> None:
        made = await store.register_prompt(tenant, "claims", "1.0.0", "Be strict.", principal="prn_a")
        assert await store.register_prompt(tenant, "claims", "1.0.0", "Be strict.", principal="prn_b") == made
        with pytest.raises(VersionExists):
            await store.register_prompt(tenant, "claims", "1.0.0", "Be lenient.", principal="prn_a")
        await store.register_prompt(tenant, "claims", "1.1.0", "Be fair.", principal="prn_a")
        await store.register_prompt(tenant, "a-first", "1.0.0", "x", principal="prn_a")
        assert [(each.name, each.version) for each in await store.prompts(tenant)] == [
            ("a-first", "1.0.0"),
            ("claims", "1.1.0"),
            ("claims", "1.0.0"),
        ]
        assert [each.text for each in await store.prompts(tenant, "claims")] == ["Be fair.", "Be strict."]
        assert await store.prompts("other") == []


class TestTable:
    @pytest.mark.parametrize("change", ["manifest = '{}'", "sha256 = repeat('0', 64)", "owner = 'me'"])
    async def test_lets_the_application_change_nothing_but_the_status(self, db: Database, tenant: str, change: str) -> None:
        await PostgresAgentStore(db).register(tenant, manifest(), owner="o", principal="p")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with db.tenant(tenant) as tx:
                await tx.rows(b"UPDATE agents SET " + change.encode() + b" RETURNING 1")

    @pytest.mark.parametrize("change", ["UPDATE agent_moves SET principal = 'me'", "DELETE FROM agent_moves", "DELETE FROM agents"])
    async def test_lets_the_application_rewrite_no_move(self, db: Database, tenant: str, change: str) -> None:
        await PostgresAgentStore(db).register(tenant, manifest(), owner="o", principal="p")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with db.tenant(tenant) as tx:
                await tx.rows(change.encode() + b" RETURNING 1")
