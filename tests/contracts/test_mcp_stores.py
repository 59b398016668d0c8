"""MCP servers, tokens and references of secrets: one suite for their fakes and both versions of PostgreSQL."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest

from adapters.postgres.mcp_servers import PostgresMcpServers
from adapters.postgres.mcp_tokens import PostgresMcpTokens
from adapters.postgres.pool import Database
from adapters.postgres.secret_references import PostgresSecretReferences
from domain.effects import EffectClass
from domain.errors import Conflict, NotFound
from domain.mcp import SERVERS_MAX, Approval, Listed, McpServerDraft, McpTool, approved, quarantined, seen
from domain.mcp_stores import McpServerStore, McpTokens
from domain.secrets import SecretReferences
from tests.adapters.postgres.databases import VERSIONS, Servers
from tests.contracts.postgres_bench import PostgresBench
from tests.fakes_mcp import FakeMcpServers, FakeMcpTokens, FakeSecretReferences

AT = "2026-01-05T09:00:00.000000Z"
OTHER = "other"
READ = Listed(name="readFile", description="Read a file.", input_schema={"type": "object"})


@dataclass
class Bench:
    """The stores of a tenant."""

    tenant: str
    servers: McpServerStore
    tokens: McpTokens
    secrets: SecretReferences

    async def with_tool(self, name: str = "files") -> McpTool:
        """Register a server with one approved tool."""
        await self.servers.put(self.tenant, draft(name), by="prn_a")
        [found] = seen([], name, [READ], at=AT)
        await self.servers.save(self.tenant, found)
        tool = approved(found, Approval(pin=READ.pin, effect_class=EffectClass.READ), by="prn_a", at=AT)
        await self.servers.approve(self.tenant, tool)
        return tool


def draft(name: str = "files", url: str = "https://mcp.example/mcp") -> McpServerDraft:
    """Return a server."""
    return McpServerDraft(name=name, transport="http", url=url, headers={"X-Key": "FILES_KEY"})


@pytest.fixture(params=["fake", *VERSIONS])
async def stores(request: pytest.FixtureRequest, servers: Servers, tenant: str) -> AsyncGenerator[Bench]:
    """The stores on every backend."""
    if request.param == "fake":
        fakes = FakeMcpServers()
        yield Bench(tenant, fakes, FakeMcpTokens(fakes), FakeSecretReferences())
        return
    async with Database(servers.get(request.param).app_url, timeout_s=5) as database:
        cipher = PostgresBench(database, tenant).cipher
        yield Bench(tenant, PostgresMcpServers(database, cipher), PostgresMcpTokens(database, cipher), PostgresSecretReferences(database))


class TestServers:
    async def test_are_registered_shown_and_taken_away_with_what_they_had(self, stores: Bench) -> None:
        tool = await stores.with_tool()
        await stores.tokens.put(stores.tenant, "files", "{}")
        shown = await stores.servers.get(stores.tenant, "files")
        assert (shown.url, shown.headers, shown.revision, shown.authorized) == ("https://mcp.example/mcp", {"X-Key": "FILES_KEY"}, 1, True)
        assert await stores.servers.all(stores.tenant) == [shown]
        assert await stores.servers.tools(stores.tenant) == [tool]
        await stores.servers.remove(stores.tenant, "files")
        assert (await stores.servers.tools(stores.tenant), await stores.tokens.get(stores.tenant, "files")) == ([], None)
        with pytest.raises(NotFound):
            await stores.servers.remove(stores.tenant, "files")

    async def test_are_no_other_tenants(self, stores: Bench) -> None:
        await stores.with_tool()
        await stores.tokens.put(stores.tenant, "files", "{}")
        assert await stores.servers.all(OTHER) == []
        assert await stores.servers.tools(OTHER) == []
        assert await stores.tokens.get(OTHER, "files") is None
        with pytest.raises(NotFound):
            await stores.servers.get(OTHER, "files")

    async def test_note_when_they_were_asked_and_what_went_wrong(self, stores: Bench) -> None:
        await stores.servers.put(stores.tenant, draft(), by="prn_a")
        await stores.servers.note(stores.tenant, "files", problem="no answer")
        shown = await stores.servers.get(stores.tenant, "files")
        assert (shown.problem, shown.checked_at is not None) == ("no answer", True)

    async def test_registered_anew_lose_their_tokens_and_their_tools_wait_for_a_person(self, stores: Bench) -> None:
        tool = await stores.with_tool()
        [found] = seen([], "files", [Listed(name="other", input_schema={})], at=AT)
        await stores.servers.save(stores.tenant, found)
        await stores.tokens.put(stores.tenant, "files", "{}")
        again = await stores.servers.put(stores.tenant, draft(url="https://elsewhere.example/mcp"), by="prn_b")
        assert (again.revision, again.created_by, again.authorized) == (2, "prn_a", False)
        [left] = await stores.servers.tools(stores.tenant, "files")
        assert (left.tool, left.state, left.approved) == (tool.tool, "quarantined", tool.approved)

    async def test_are_not_more_than_fit(self, stores: Bench) -> None:
        for number in range(SERVERS_MAX):
            await stores.servers.put(stores.tenant, draft(f"s{number}"), by="prn_a")
        await stores.servers.put(stores.tenant, draft("s1"), by="prn_a")
        with pytest.raises(Conflict, match="at most"):
            await stores.servers.put(stores.tenant, draft("one_more"), by="prn_a")


class TestQuarantine:
    async def test_stays_whatever_is_seen_later_and_ends_by_an_approval(self, stores: Bench) -> None:
        tool = await stores.with_tool()
        await stores.servers.save(stores.tenant, quarantined(tool, "its description changed", at=AT))
        await stores.servers.save(stores.tenant, tool)
        [kept] = await stores.servers.tools(stores.tenant)
        assert (kept.state, kept.reason, kept.quarantined_at) == ("quarantined", "its description changed", AT)
        again = approved(kept, Approval(pin=READ.pin, effect_class=EffectClass.NONE), by="prn_b", at=AT)
        await stores.servers.approve(stores.tenant, again)
        [now] = await stores.servers.tools(stores.tenant)
        assert now.approved is not None
        assert (now.state, now.approved.version, now.approved.by, now.reason) == ("approved", 2, "prn_b", None)

    async def test_no_approval_comes_by_seeing(self, stores: Bench) -> None:
        await stores.servers.put(stores.tenant, draft(), by="prn_a")
        [found] = seen([], "files", [READ], at=AT)
        await stores.servers.save(stores.tenant, found)
        sly = approved(found, Approval(pin=READ.pin, effect_class=EffectClass.READ), by="prn_a", at=AT)
        await stores.servers.save(stores.tenant, sly)
        [now] = await stores.servers.tools(stores.tenant)
        assert now.approved is None


class TestAuthorizations:
    async def test_are_taken_once_by_who_began_them(self, stores: Bench) -> None:
        await stores.tokens.begin(stores.tenant, state_digest="d1", principal="prn_a", kept='{"v": 1}', minutes=5)
        assert await stores.tokens.take(stores.tenant, state_digest="d1", principal="prn_b") is None
        assert await stores.tokens.take(OTHER, state_digest="d1", principal="prn_a") is None
        assert await stores.tokens.take(stores.tenant, state_digest="d1", principal="prn_a") == '{"v": 1}'
        assert await stores.tokens.take(stores.tenant, state_digest="d1", principal="prn_a") is None

    async def test_grow_too_old(self, stores: Bench) -> None:
        await stores.tokens.begin(stores.tenant, state_digest="d2", principal="prn_a", kept="{}", minutes=0)
        assert await stores.tokens.take(stores.tenant, state_digest="d2", principal="prn_a") is None


class TestSecretReferences:
    async def test_are_set_set_anew_listed_and_removed(self, stores: Bench) -> None:
        await stores.secrets.put(stores.tenant, "test", "BANK", "env:A", by="prn_a")
        again = await stores.secrets.put(stores.tenant, "test", "BANK", "vault:secret/t/bank#key", by="prn_b")
        await stores.secrets.put(stores.tenant, "production", "BANK", "file:/run/secrets/bank", by="prn_a")
        assert await stores.secrets.get(stores.tenant, "test", "BANK") == again
        assert [(row.environment, row.reference) for row in await stores.secrets.all(stores.tenant)] == [
            ("production", "file:/run/secrets/bank"),
            ("test", "vault:secret/t/bank#key"),
        ]
        await stores.secrets.remove(stores.tenant, "test", "BANK")
        for call in (stores.secrets.get, stores.secrets.remove):
            with pytest.raises(NotFound):
                await call(stores.tenant, "test", "BANK")

    async def test_are_no_other_tenants_and_no_other_environments(self, stores: Bench) -> None:
        await stores.secrets.put(stores.tenant, "test", "BANK", "env:A", by="prn_a")
        assert await stores.secrets.all(OTHER) == []
        for tenant, environment in ((OTHER, "test"), (stores.tenant, "production")):
            with pytest.raises(NotFound):
                await stores.secrets.get(tenant, environment, "BANK")
