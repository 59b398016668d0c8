"""MCP servers and references of secrets through the client against the real gateway."""

import pytest
from pydantic import JsonValue

from domain.mcp import Listed
from standfast_client import InvalidInputError, NotFoundError
from tests.clients.live_gateway import LiveGateway

SERVER: dict[str, JsonValue] = {"name": "files", "transport": "http", "url": "https://mcp.example/mcp", "headers": {"X-Key": "FILES_KEY"}}
READ = Listed(name="read", description="Read.", input_schema={"type": "object"})
REFERENCE = "env:STANDFAST_SECRET_DEFAULT__BANK"


class TestMcpServers:
    def test_are_added_asked_approved_held_back_and_removed(self, live: LiveGateway) -> None:
        live.house.stores.mcp_connections.lists["files"] = [READ]
        with live.client() as client:
            assert client.mcp_servers.add(SERVER).revision == 1
            [tool] = client.mcp_servers.check("files").tools
            assert (tool.name, tool.state, tool.pin) == ("mcp.files.read", "found", READ.pin)
            approval: dict[str, JsonValue] = {"tool": tool.name, "pin": tool.pin, "effect_class": "read"}
            assert client.mcp_servers.approve("files", approval).state == "approved"
            assert client.mcp_servers.quarantine("files", tool.name, "odd").reason == "odd"
            assert [one.name for one in client.mcp_servers.list()] == ["files"]
            assert client.mcp_servers.remove("files").removed
            with pytest.raises(NotFoundError):
                client.mcp_servers.get("files")

    async def test_are_authorized(self, live: LiveGateway) -> None:
        async with live.async_client() as client:
            await client.mcp_servers.add({**SERVER, "headers": {}, "oauth": {}})
            begun = await client.mcp_servers.begin_authorization("files", "http://127.0.0.1:49152/callback")
            state = begun.url.partition("state=")[2]
            assert (await client.mcp_servers.answer_authorization("files", code="good", state=state)).authorized
            with pytest.raises(InvalidInputError, match="begin again"):
                await client.mcp_servers.answer_authorization("files", code="good", state=state)


class TestSecrets:
    async def test_are_set_listed_and_removed(self, live: LiveGateway) -> None:
        async with live.async_client() as client:
            made = await client.secrets.set_reference("BANK", REFERENCE, environment="test")
            assert await client.secrets.list() == [made]
            assert (await client.secrets.remove("BANK", environment="test")).removed
            with pytest.raises(InvalidInputError, match="no place"):
                await client.secrets.set_reference("BANK", "env:DATABASE_URL", environment="test")
