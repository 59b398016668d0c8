"""Standfast as an MCP server: real clients of the SDK against the gateway, with the caller's own key and permissions."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from pydantic import JsonValue

from tests.api.gateway import UI_ORIGIN, Gateway

URL = "http://gateway/mcp"
START = {"definition": "delay-claim", "input": {"claim": {"id": "c-1"}}, "idempotency_key": "k-1"}


@asynccontextmanager
async def speaking(house: Gateway, who: str = "operator", *, mode: str = "auto", **headers: str) -> AsyncGenerator[Client]:
    """Yield a client that sends this principal's key."""
    key = {"authorization": f"Bearer {house.keys[who]}"}
    transport = httpx2.ASGITransport(app=house.app)
    async with (
        httpx2.AsyncClient(transport=transport, headers={**key, **headers}) as http,
        Client(streamable_http_client(URL, http_client=http), mode=mode, cache=None) as client,
    ):
        yield client


async def told(client: Client, tool: str, **arguments: object) -> tuple[bool, dict[str, Any]]:  # Any: JSON
    """Call a tool; return whether it went well, and what it says."""
    answer = await client.call_tool(tool, arguments)
    return not answer.is_error, cast("dict[str, Any]", answer.structured_content or {"text": getattr(answer.content[0], "text", "")})


def post(house: Gateway, who: str | None = "operator", **headers: str) -> httpx2.Response:
    """Send a bare message, as no SDK would."""
    message: dict[str, JsonValue] = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    accepts = {"accept": "application/json, text/event-stream"}
    return house.client(who).post("/mcp", json=message, headers={**accepts, **headers})


class TestTools:
    @pytest.mark.parametrize("mode", ["auto", "legacy"])
    async def test_start_runs_show_them_and_list_approvals_and_decide_nothing(self, house: Gateway, mode: str) -> None:
        async with speaking(house, mode=mode) as client:
            names = [tool.name for tool in (await client.list_tools()).tools]
            assert names == ["start_run", "run_status", "run_result", "list_approvals"]
            well, started = await told(client, "start_run", **START)
            assert well, started
            assert (await told(client, "run_status", run=started["run"]))[1]["status"] == "accepted"
            assert (await told(client, "list_approvals", run=started["run"]))[1]["items"] == []
            await asyncio.to_thread(house.succeed, started["run"], {"paid": True})
            assert (await told(client, "run_result", run=started["run"]))[1]["result"] == {"paid": True}

    async def test_start_runs_whose_input_is_not_taken_for_the_callers_own_word(self, house: Gateway) -> None:
        async with speaking(house) as client:
            started = (await told(client, "start_run", **START))[1]
        assert house.stores.database.run("default", started["run"]).input_labels == ["mcp"]
        typed = house.client("operator").post("/v1/runs", json={"definition": "delay-claim", "input": START["input"]}).json()
        assert house.stores.database.run("default", typed["run"]).input_labels == []

    async def test_start_nothing_twice_under_one_key(self, house: Gateway) -> None:
        async with speaking(house) as client:
            runs = {(await told(client, "start_run", **START))[1]["run"] for _ in range(2)}
        assert len(runs) == 1

    async def test_do_what_the_callers_role_may_and_no_more(self, house: Gateway) -> None:
        async with speaking(house, "viewer") as client:
            well, problem = await told(client, "start_run", **START)
        assert (well, problem["status"], problem["code"]) == (False, 403, "forbidden")

    async def test_see_the_callers_tenant_and_no_other(self, house: Gateway) -> None:
        run = await asyncio.to_thread(house.start)
        async with speaking(house, "stranger") as client:
            well, problem = await told(client, "run_status", run=run)
        assert (well, problem["status"]) == (False, 404)

    @pytest.mark.parametrize(
        ("tool", "arguments"),
        [
            ("run_status", {"run": "../../v1/keys"}),
            ("run_status", {"run": "run_1/../../approvals"}),
            ("run_result", {"run": "run_00000000000000000000000001", "wait_s": 10_000}),
            ("start_run", {"definition": "delay-claim"}),
            ("list_approvals", {"decide": True}),
            ("decide_approval", {}),
            ("approve", {}),
        ],
    )
    async def test_take_nothing_else(self, house: Gateway, tool: str, arguments: dict[str, object]) -> None:
        async with speaking(house, "admin") as client:
            answer = await client.call_tool(tool, arguments)
        assert answer.is_error


class TestAccess:
    def test_needs_a_key_for_every_message(self, house: Gateway) -> None:
        assert post(house, None).status_code == 401
        assert post(house, None, **{"mcp-session-id": "0" * 32}).status_code == 401
        assert post(house).status_code == 200

    def test_gives_no_session_that_could_be_guessed_or_kept(self, house: Gateway) -> None:
        for who, session in (("operator", "1"), ("stranger", "1"), ("viewer", "f" * 32)):
            answer = post(house, who, **{"mcp-session-id": session})
            assert (answer.status_code, "mcp-session-id" in answer.headers) == (200, False)

    @pytest.mark.parametrize(
        "key", ["eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL290aGVyLmV4YW1wbGUifQ.c2ln", "sf_test_x_y", "", "Basic YTpi"]
    )
    def test_takes_no_token_of_another_issuer_or_audience(self, house: Gateway, key: str) -> None:
        assert post(house, None, authorization=f"Bearer {key}").status_code == 401

    @pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:9999", "null", "http://gateway.evil.example"])
    def test_refuses_web_pages_of_other_origins(self, house: Gateway, origin: str) -> None:
        assert post(house, origin=origin).status_code == 403

    def test_lets_a_declared_origin_through(self, house: Gateway) -> None:
        assert post(house, origin=UI_ORIGIN).status_code == 200

    @pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
    def test_opens_no_streams_and_ends_no_sessions(self, house: Gateway, method: str) -> None:
        assert house.client("operator").request(method, "/mcp").status_code == 405
