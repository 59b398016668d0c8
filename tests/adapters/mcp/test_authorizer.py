"""OAuth of MCP servers against an authorization server of ours: PKCE, resource, state, audience, and nothing passed on (PROOF B28)."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import JsonValue

from domain.errors import InvalidInput, StandfastError, ToolFailed
from domain.mcp import McpServer
from domain.mcp_oauth import challenge
from tests.adapters.mcp.mcp_bench import READ, TENANT, McpBench
from tests.servers.mcp_http_server import McpHttpServer, serving_asgi, serving_mcp
from tests.servers.oauth_server import OauthServer, jwt, with_query

ADA, BOB = "prn_ada", "prn_bob"
REDIRECT = "http://127.0.0.1:49152/callback"


@dataclass
class House:
    """A bench with one OAuth server registered as `files`."""

    bench: McpBench
    issuer: OauthServer
    mcp: McpHttpServer

    async def server(self) -> McpServer:
        """Return it as it is registered."""
        return await self.bench.servers.get(TENANT, "files")

    async def begin(self, who: str = ADA, redirect: str = REDIRECT) -> str:
        """Begin; return the page."""
        return await self.bench.authorizer.begin(TENANT, who, await self.server(), redirect)

    async def complete(self, told: dict[str, str], who: str = ADA, tenant: str = TENANT) -> None:
        """Bring an answer."""
        await self.bench.authorizer.complete(tenant, who, await self.server(), code=told["code"], state=told["state"], iss=told.get("iss"))

    async def authorize(self) -> None:
        """Do the whole of it."""
        await self.complete(self.issuer.consent(await self.begin()))


@asynccontextmanager
async def house(**oauth: JsonValue) -> AsyncGenerator[House]:
    """Serve an MCP server that wants tokens, and its issuer on the same origin's metadata."""
    issuer = OauthServer()
    async with serving_mcp(READ) as mcp, serving_asgi(issuer) as origin:
        issuer.origin, issuer.resource = origin, mcp.url
        mcp.token = "none yet"
        bench = McpBench()
        await bench.register(mcp.url, oauth=oauth)
        # The MCP server points to metadata on its own origin; ours answers for it there.
        mcp.metadata = issuer
        yield House(bench, issuer, mcp)


class TestAuthorization:
    async def test_asks_with_pkce_and_for_this_server_alone(self) -> None:
        async with house(scopes=["files.read"]) as made:
            page = await made.begin()
            asked = {name: values[0] for name, values in parse_qs(urlsplit(page).query).items()}
            assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
            assert (asked["resource"], asked["redirect_uri"], asked["scope"]) == (made.mcp.url, REDIRECT, "files.read")
            assert made.issuer.registrations[0]["redirect_uris"] == [REDIRECT]
            await made.complete(made.issuer.consent(page))
            form = made.issuer.forms[0]
            assert challenge(form["code_verifier"]) == asked["code_challenge"]
            assert (form["resource"], form["redirect_uri"]) == (made.mcp.url, REDIRECT)

    async def test_gives_calls_the_token_of_their_server_and_tells_it_to_nobody_else(self) -> None:
        async with house() as made, serving_mcp(READ) as other:
            await made.bench.register(other.url, name="other")
            await made.authorize()
            made.mcp.token = f"token-1-of-{made.mcp.url}"
            await made.bench.approve_all()
            await made.bench.approve_all(name="other")
            await made.bench.call("mcp.files.read_file")
            await made.bench.call("mcp.other.read_file")
            assert made.mcp.calls
            assert made.bench.known.text(TENANT, f"Bearer {made.mcp.token}") == "Bearer [secret]"
            assert not [headers for headers in other.seen if "authorization" in headers]

    async def test_without_one_nothing_is_called(self) -> None:
        async with house() as made:
            with pytest.raises(ToolFailed, match="nobody authorized"):
                await made.bench.box.listing(TENANT, await made.server())

    async def test_renews_a_token_near_its_end_and_keeps_the_new_one(self) -> None:
        async with house() as made:
            await made.authorize()
            made.bench.now_s += 3600
            server = await made.server()
            tokens = {await made.bench.authorizer.access_token(TENANT, server) for _ in range(2)}
            assert tokens == {f"token-2-of-{made.mcp.url}"}
            assert [form["grant_type"] for form in made.issuer.forms] == ["authorization_code", "refresh_token"]
            assert made.issuer.forms[1]["resource"] == made.mcp.url

    async def test_is_of_one_tenant(self) -> None:
        async with house() as made:
            await made.authorize()
            with pytest.raises(ToolFailed, match="nobody authorized"):
                await made.bench.authorizer.access_token("other", await made.server())

    async def test_of_a_server_that_was_registered_elsewhere_is_void(self) -> None:
        async with house() as made:
            await made.authorize()
            kept = await made.bench.tokens.get(TENANT, "files")
            await made.bench.register("http://127.0.0.1:9/mcp", oauth={})
            assert await made.bench.tokens.get(TENANT, "files") is None
            await made.bench.tokens.put(TENANT, "files", kept or "")
            with pytest.raises(ToolFailed, match="authorize the server anew"):
                await made.bench.authorizer.access_token(TENANT, await made.server())


class TestState:
    async def test_counts_once(self) -> None:
        async with house() as made:
            told = made.issuer.consent(await made.begin())
            await made.complete(told)
            with pytest.raises(InvalidInput, match="was used"):
                await made.complete(told)

    @pytest.mark.parametrize("case", ["another person", "another tenant", "guessed", "another server's"])
    async def test_is_bound_to_person_tenant_and_server(self, case: str) -> None:
        async with house() as made:
            told = made.issuer.consent(await made.begin())
            if case == "guessed":
                told["state"] = "A" * 43
            if case == "another server's":
                await made.bench.register(made.mcp.url, name="drive", oauth={})
                drive = await made.bench.servers.get(TENANT, "drive")
                begun = await made.bench.authorizer.begin(TENANT, ADA, drive, REDIRECT)
                told = made.issuer.consent(begun)
            who, tenant = BOB if case == "another person" else ADA, "other" if case == "another tenant" else TENANT
            with pytest.raises(InvalidInput, match="not begun by you"):
                await made.complete(told, who, tenant)
        assert made.issuer.forms == []

    async def test_is_not_kept_as_it_is(self) -> None:
        async with house() as made:
            told = made.issuer.consent(await made.begin())
            assert await made.bench.tokens.take(TENANT, state_digest=told["state"], principal=ADA) is None


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"told_resource": "https://other.example/mcp"}, "calls itself"),
            ({"issuer": "https://evil.example"}, "may be forged"),
            ({"methods": ()}, "PKCE"),
            ({"methods": ("plain",)}, "PKCE"),
            ({"endpoint_scheme": "ftp"}, "must be https"),
        ],
    )
    async def test_stop_before_a_person_is_asked(self, change: dict[str, object], why: str) -> None:
        async with house() as made:
            for name, value in change.items():
                setattr(made.issuer, name, value)
            with pytest.raises(ToolFailed, match=why):
                await made.begin()
        assert made.issuer.registrations == []

    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            ({"access_token": jwt("https://other.example/mcp")}, "not for"),
            ({"access_token": jwt(["https://a.example", "https://b.example"])}, "not for"),
            ({"access_token": jwt([])}, "nobody"),
            ({"access_token": ""}, "without an access token"),
            ({"access_token": "a\r\nx-evil: 1"}, "without an access token"),
            ({"token_type": "mac"}, "no bearer"),
        ],
    )
    async def test_keep_no_token_of_another_audience_or_kind(self, answer: dict[str, JsonValue], why: str) -> None:
        async with house() as made:
            made.issuer.answer = answer
            with pytest.raises(ToolFailed, match=why):
                await made.authorize()
            assert await made.bench.tokens.get(TENANT, "files") is None

    async def test_let_a_token_of_this_audience_through(self) -> None:
        async with house() as made:
            made.issuer.answer = {"access_token": jwt([made.mcp.url, "https://a.example"])}
            await made.authorize()
            assert (await made.bench.authorizer.access_token(TENANT, await made.server())).count(".") == 2

    @pytest.mark.parametrize("iss", [None, "https://evil.example"])
    async def test_an_answer_of_another_issuer_is_none(self, iss: str | None) -> None:
        async with house() as made:
            told = made.issuer.consent(await made.begin())
            given = {name: value for name, value in told.items() if name != "iss"} | ({"iss": iss} if iss else {})
            with pytest.raises(InvalidInput, match="does not come from"):
                await made.complete(given)
        assert made.issuer.forms == []

    @pytest.mark.parametrize("part", ["code_challenge", "resource", "client_id", "redirect_uri"])
    async def test_a_page_that_was_changed_on_its_way_gives_no_token(self, part: str) -> None:
        async with house() as made:
            page = with_query(await made.begin(), **{part: "x"})
            with pytest.raises(StandfastError, match="invalid_grant"):
                await made.complete(made.issuer.consent(page))
            assert await made.bench.tokens.get(TENANT, "files") is None
