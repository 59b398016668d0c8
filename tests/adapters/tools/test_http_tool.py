"""A declared REST call: what is sent, and what each answer means."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from pydantic import JsonValue

from adapters.outbound.clients import GuardedClients
from adapters.tools.http_answers import retry_after_s
from adapters.tools.http_tool import HttpTool
from domain.errors import StandfastError, ToolFailed, ToolTimedOut, ToolUnavailable
from tests.adapters.tools.raw_server import answer, serving
from tests.adapters.tools.tool_calls import declaration, tool_call
from tests.outbound import finding, outbound

SECRETS = {"BANK_TOKEN": "tok-123", "BROKEN": "line\nbreak"}
PAYMENT: dict[str, JsonValue] = {"claim_id": "C 1/2", "amount": "250.00"}
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


async def secret(_tenant: str, name: str) -> str:
    """Return a secret of every tenant."""
    return SECRETS[name]


def http_tool(url: str, path: str = "/claims/{claim_id}/payments", **changes: object) -> HttpTool:
    """Return the tool `bank.pay` on a local server."""
    return HttpTool(declaration(url=url + path, **changes), resolve_secret=secret, outbound=outbound())


class TestHttpToolRequest:
    async def test_sends_the_key_the_secret_and_the_arguments_the_url_leaves(self) -> None:
        async with serving(answer(200, "{}")) as server:
            tool = http_tool(server.url, headers={"Authorization": "Bearer secret:BANK_TOKEN"})
            await tool.call(tool_call(PAYMENT))
            await tool.aclose()
        request = server.seen[0]
        assert request.line == "POST /claims/C%201%2F2/payments HTTP/1.1"
        assert request.headers["idempotency-key"] == "k" * 64
        assert request.headers["authorization"] == "Bearer tok-123"
        assert request.headers["host"] == f"127.0.0.1:{server.port}"
        assert json.loads(request.body) == {"amount": "250.00"}

    async def test_sends_arguments_as_query_and_header_but_never_over_its_own_headers(self) -> None:
        places: dict[str, object] = {
            "query_arguments": {"sum": "amount"},
            "header_arguments": {"X-Claim": "claim_id", "X-Correlation-Id": "amount"},
        }
        async with serving(answer(200, "{}")) as server:
            said = declaration(url=f"{server.url}/claims/{{claim_id}}/payments", method="GET", effect_class="read", **places)
            tool = HttpTool(said, resolve_secret=secret, outbound=outbound())
            await tool.call(tool_call({"claim_id": "C1", "amount": "2 50"}))
            await tool.aclose()
        request = server.seen[0]
        assert request.line == "GET /claims/C1/payments?sum=2%2050 HTTP/1.1"
        assert (request.headers["x-claim"], request.headers["x-correlation-id"]) == ("C1", "correlation-1")

    async def test_sends_no_key_for_a_read(self) -> None:
        async with serving(answer(200, "{}")) as server:
            tool = http_tool(server.url, method="GET", effect_class="read")
            await tool.call(tool_call(PAYMENT))
            await tool.aclose()
        assert "idempotency-key" not in server.seen[0].headers
        assert server.seen[0].body == b""

    async def test_fails_for_good_when_a_secret_is_not_set(self) -> None:
        tool = http_tool("http://127.0.0.1:9", headers={"authorization": "secret:NOWHERE"})
        with pytest.raises(ToolFailed, match="secret NOWHERE"):
            await tool.call(tool_call(PAYMENT))

    async def test_fails_for_good_when_a_secret_cannot_stand_in_a_header(self) -> None:
        tool = http_tool("http://127.0.0.1:9", headers={"authorization": "secret:BROKEN"})
        with pytest.raises(ToolFailed, match="line break"):
            await tool.call(tool_call(PAYMENT))

    async def test_closes_the_connection_when_cancelled(self) -> None:
        async with serving(None) as server:
            tool = http_tool(server.url)
            calling = asyncio.create_task(tool.call(tool_call(PAYMENT)))
            await server.arrived.wait()
            calling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await calling
            async with asyncio.timeout(2):
                await server.hung_up.wait()
            await tool.aclose()


class TestHttpToolAnswer:
    async def called(self, raw: bytes | None, *, deadline_s: float = 10.0, path: str = "/{claim_id}", **changes: object) -> object:
        """Call the tool on a server that answers `raw`."""
        async with serving(raw) as server:
            tool = http_tool(server.url, path, **changes)
            try:
                return await tool.call(tool_call(PAYMENT, deadline_s=deadline_s))
            finally:
                await tool.aclose()

    async def test_is_the_json_of_the_body(self) -> None:
        assert await self.called(answer(201, '{"payment": 7}')) == {"payment": 7}

    async def test_is_none_when_the_body_is_empty(self) -> None:
        assert await self.called(answer(204)) is None

    @pytest.mark.parametrize(
        ("status", "effect_class", "error"),
        [
            (429, "money", ToolUnavailable),
            (503, "money", ToolUnavailable),
            (500, "money", ToolTimedOut),
            (502, "write", ToolTimedOut),
            (500, "read", ToolUnavailable),
            (408, "money", ToolTimedOut),
            (400, "money", ToolFailed),
            (404, "read", ToolFailed),
            (409, "money", ToolFailed),
            (302, "money", ToolFailed),
        ],
    )
    async def test_is_an_error_that_says_what_may_have_happened(self, status: int, effect_class: str, error: type[StandfastError]) -> None:
        with pytest.raises(error) as caught:
            await self.called(answer(status, '{"detail": "the account is closed"}'), effect_class=effect_class)
        assert type(caught.value) is error
        assert "the account is closed" in caught.value.detail

    async def test_carries_the_wait_the_server_asks_for(self) -> None:
        with pytest.raises(ToolUnavailable) as caught:
            await self.called(answer(429, "", "Retry-After: 7"))
        assert caught.value.retry_after_s == 7.0

    async def test_never_repeats_a_secret_that_the_server_repeats(self) -> None:
        with pytest.raises(ToolFailed) as caught:
            await self.called(answer(401, '{"detail": "bad key tok-123"}'), headers={"x-key": "secret:BANK_TOKEN"})
        assert caught.value.detail.endswith("bad key [secret]")

    async def test_is_unknown_when_none_comes_in_time(self) -> None:
        with pytest.raises(ToolTimedOut, match=r"within 0\.2 s"):
            await self.called(None, deadline_s=0.2)

    async def test_is_unknown_when_a_payment_s_connection_breaks(self) -> None:
        with pytest.raises(ToolTimedOut, match="unknown"):
            await self.called(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{")

    async def test_may_be_asked_again_when_a_read_s_connection_breaks(self) -> None:
        with pytest.raises(ToolUnavailable):
            await self.called(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", effect_class="read")

    async def test_is_refused_when_it_is_too_large(self) -> None:
        with pytest.raises(ToolFailed, match="larger than 100 bytes"):
            await self.called(answer(200, "[" + "1," * 100 + "1]"), response_bytes_max=100)

    async def test_is_refused_when_it_is_compressed(self) -> None:
        with pytest.raises(ToolFailed, match="compressed"):
            await self.called(answer(200, "{}", "Content-Encoding: gzip"))

    @pytest.mark.parametrize("body", ["<html>", "NaN", "{", "[" * 100_000])
    async def test_is_refused_when_it_is_no_json(self, body: str) -> None:
        with pytest.raises(ToolFailed, match="no JSON; the call itself was accepted"):
            await self.called(answer(200, body))

    async def test_is_refused_when_it_breaks_the_output_schema(self) -> None:
        with pytest.raises(ToolFailed, match=r"/payment: \"x\" is not of type"):
            await self.called(answer(200, '{"payment": "x"}'), output={"properties": {"payment": {"type": "integer"}}})

    async def test_surely_did_not_happen_when_nothing_listens(self) -> None:
        async with serving(None) as server:
            url = server.url
        with pytest.raises(ToolUnavailable, match="no connection"):
            await http_tool(url).call(tool_call(PAYMENT))


class TestHttpToolEgress:
    PRIVATE = ("127.0.0.1", "10.1.2.3", "192.168.1.1", "100.64.0.1", "::1", "fd00::1", "::ffff:10.0.0.1")
    NEVER = ("169.254.169.254", "fe80::1", "0.0.0.0", "64:ff9b::a00:1", "2002:7f00:1::", "::ffff:169.254.169.254", "224.0.0.1")  # noqa: S104

    async def refused(self, *found: str, allow_private: bool) -> str:
        """Return why the call was refused; nothing is ever sent, since no transport could answer."""
        tool = HttpTool(
            declaration(url="https://bank.example/{claim_id}"),
            resolve_secret=secret,
            outbound=outbound(*found, allow_private=allow_private),
        )
        with pytest.raises(ToolFailed) as caught:
            await tool.call(tool_call(PAYMENT))
        return caught.value.detail

    @pytest.mark.parametrize("address", [*PRIVATE, *NEVER])
    async def test_refuses_a_public_name_that_leads_inside(self, address: str) -> None:
        assert f"resolves to {address}" in await self.refused("93.184.215.14", address, allow_private=False)

    @pytest.mark.parametrize("address", NEVER)
    async def test_refuses_metadata_addresses_even_in_development(self, address: str) -> None:
        assert f"resolves to {address}" in await self.refused(address, allow_private=True)

    async def test_connects_to_the_address_it_checked_and_keeps_the_name(self) -> None:
        async with serving(answer(200, "{}")) as server:
            tool = HttpTool(
                declaration(url=f"http://bank.example:{server.port}/{{claim_id}}"),
                resolve_secret=secret,
                outbound=outbound("127.0.0.1"),
            )
            await tool.call(tool_call(PAYMENT))
            await tool.aclose()
        assert server.seen[0].headers["host"] == f"bank.example:{server.port}"

    async def test_is_not_available_when_the_name_does_not_resolve(self) -> None:
        clients = GuardedClients(resolve=finding())
        tool = HttpTool(declaration(url="https://bank.example/{claim_id}"), resolve_secret=secret, outbound=clients)
        with pytest.raises(ToolUnavailable, match="no address"):
            await tool.call(tool_call(PAYMENT))


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("120", 120.0),
            (format_datetime(NOW + timedelta(seconds=30), usegmt=True), 30.0),
            (format_datetime(NOW - timedelta(seconds=30), usegmt=True), 0.0),
            ("99999999999999", 3600.0),
            ("soon", None),
            ("-1", None),
            (None, None),
        ],
    )
    def test_is_seconds_from_now(self, value: str | None, seconds: float | None) -> None:
        assert retry_after_s(value, NOW) == seconds
