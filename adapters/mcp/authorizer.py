"""Tokens of OAuth servers: asked for with a person's consent, renewed in time, sent to the server they are for and to nobody else."""

import asyncio
import json
import secrets
from collections.abc import Callable
from typing import TypeVar, cast

import httpx2
from pydantic import BaseModel, JsonValue, ValidationError

from domain import mcp_oauth as oauth
from domain.egress import EgressRules, OutboundClients
from domain.errors import InvalidInput, ToolFailed, ToolUnavailable
from domain.mcp import McpServer
from domain.mcp_stores import McpTokens
from domain.secrets import ResolveSecret

M = TypeVar("M", bound=BaseModel)
ANSWER_BYTES_MAX = 256 * 1024
TIMEOUT_S = 15.0
VERIFIER_BYTES = 48
"""64 characters in base64url; RFC 7636 §4.1 asks for 43 to 128."""
STATE_BYTES = 32


class McpAuthorizer:
    """Begins and ends authorizations, and gives the token of a call.

    Args:
        clients: The guarded way out.
        tokens: Where tokens are kept, sealed.
        secret: Gives (tenant, name)'s secret; LookupError when it is not set.
        now_s: The time, in seconds.
        allow_plain: Whether an authorization server on loopback may speak http (development only).
    """

    def __init__(
        self,
        *,
        clients: OutboundClients[httpx2.AsyncBaseTransport],
        tokens: McpTokens,
        secret: ResolveSecret,
        now_s: Callable[[], float],
        allow_plain: bool,
    ) -> None:
        self._clients = clients
        self._tokens = tokens
        self._secret = secret
        self._now_s = now_s
        self._allow_plain = allow_plain
        self._renewing: dict[tuple[str, str], asyncio.Lock] = {}

    async def begin(self, tenant: str, principal: str, server: McpServer, redirect_uri: str) -> str:
        """Return the page to open; its state is kept for this person, once and for a few minutes.

        Raises:
            InvalidInput: the server needs no authorization, or the redirect URI is none of this person's machine.
            ToolFailed: the server or its issuer cannot be used. ToolUnavailable: one of them does not answer.
        """
        if server.oauth is None or server.url is None:
            raise InvalidInput(f"the MCP server {server.name} is registered without oauth", where="/name")
        oauth.checked_redirect(redirect_uri)
        async with self._http() as http:
            resource, issuer = await self._discovered(http, server.url)
            client_id, secret = await self._client(http, tenant, server, issuer, redirect_uri)
        begun = oauth.Begun(
            server=server.name,
            resource=resource,
            issuer=issuer.issuer,
            token_endpoint=issuer.token_endpoint,
            client_id=client_id,
            secret=secret,
            verifier=secrets.token_urlsafe(VERIFIER_BYTES),
            redirect_uri=redirect_uri,
            iss_required=issuer.authorization_response_iss_parameter_supported,
        )
        state = secrets.token_urlsafe(STATE_BYTES)
        kept = begun.model_dump_json()
        digest = oauth.state_digest(state)
        await self._tokens.begin(tenant, state_digest=digest, principal=principal, kept=kept, minutes=oauth.MINUTES)
        return oauth.authorize_url(issuer.authorization_endpoint, begun, state=state, scopes=server.oauth.scopes)

    async def complete(self, tenant: str, principal: str, server: McpServer, *, code: str, state: str, iss: str | None) -> None:
        """Change the code for tokens and keep them.

        Raises:
            InvalidInput: the state is none that this person began for this server, or was used; another issuer answers.
            ToolFailed: the issuer refuses, or its token is for another audience.
        """
        kept = await self._tokens.take(tenant, state_digest=oauth.state_digest(state), principal=principal)
        begun = None if kept is None else oauth.Begun.model_validate_json(kept)
        if begun is None or begun.server != server.name:
            raise InvalidInput("this authorization was not begun by you, is too old, or was used: begin again", where="/state")
        oauth.check_answer(begun, iss)
        async with self._http() as http:
            answer = await _posted(http, begun.token_endpoint, form=oauth.code_form(begun, code))
        await self._keep(tenant, server.name, oauth.checked_tokens(answer, begun, now_s=self._now_s()))

    async def access_token(self, tenant: str, server: McpServer) -> str:
        """Return the token of a call, renewed if its end is near.

        Raises:
            ToolFailed: nobody authorized the server, or the authorization ended.
        """
        async with self._renewing.setdefault((tenant, server.name), asyncio.Lock()):
            kept = await self._tokens.get(tenant, server.name)
            if kept is None:
                raise ToolFailed(f"nobody authorized the MCP server {server.name}: `standfast mcp authorize {server.name}`")
            tokens = oauth.Tokens.model_validate_json(kept)
            own = oauth.canonical_resource(server.url or "")
            if not f"{own}/".startswith(f"{tokens.resource}/"):
                raise ToolFailed(f"the token kept for {server.name} is for {tokens.resource}: authorize the server anew")
            if tokens.expires_at is None or tokens.expires_at - oauth.EARLY_S > self._now_s():
                return tokens.access_token
            if tokens.refresh_token is None:
                raise ToolFailed(f"the authorization of the MCP server {server.name} has ended: `standfast mcp authorize {server.name}`")
            async with self._http() as http:
                answer = await _posted(http, tokens.token_endpoint, form=oauth.refresh_form(tokens))
            renewed = oauth.checked_tokens(answer, tokens, now_s=self._now_s())
            await self._keep(tenant, server.name, renewed)
            return renewed.access_token

    async def _keep(self, tenant: str, server: str, tokens: oauth.Tokens) -> None:
        await self._tokens.put(tenant, server, tokens.model_dump_json())

    async def _discovered(self, http: httpx2.AsyncClient, url: str) -> tuple[str, oauth.IssuerMetadata]:
        """Return the resource that tokens are asked for, and its issuer.

        Raises:
            ToolFailed: one of them says nothing, or something that cannot be trusted.
        """
        challenge = (await _sent(http, httpx2.Request("GET", url))).headers.get("www-authenticate", "")
        metadata = await _found(http, oauth.resource_places(url, _parameter(challenge, "resource_metadata")), oauth.ResourceMetadata)
        if metadata is None or not metadata.authorization_servers:
            raise ToolFailed(f"the server at {url} names no authorization server (RFC 9728)")
        resource = oauth.check_resource(url, metadata)
        named = metadata.authorization_servers[0]
        oauth.check_endpoint(named, allow_plain=self._allow_plain)
        issuer = await _found(http, oauth.issuer_places(named), oauth.IssuerMetadata)
        if issuer is None:
            raise ToolFailed(f"the authorization server {named} does not say where its endpoints are (RFC 8414)")
        oauth.check_issuer(named, issuer, allow_plain=self._allow_plain)
        return resource, issuer

    async def _client(
        self, http: httpx2.AsyncClient, tenant: str, server: McpServer, issuer: oauth.IssuerMetadata, redirect_uri: str
    ) -> tuple[str, str | None]:
        """Return who we are to the issuer: as registered by hand, or by RFC 7591 for this redirect URI alone.

        Raises:
            ToolFailed: our secret is not set, or the issuer does not register us.
        """
        given = server.oauth
        if given is not None and given.client_id is not None:
            if given.client_secret is None:
                return given.client_id, None
            try:
                return given.client_id, await self._secret(tenant, given.client_secret)
            except LookupError as error:
                raise ToolFailed(f"the secret {given.client_secret} of the MCP server {server.name} is not set here") from error
        if issuer.registration_endpoint is None:
            raise ToolFailed(f"the issuer {issuer.issuer} takes no registrations: register Standfast there, and give its client_id")
        wanted: JsonValue = {
            "client_name": "Standfast",
            "redirect_uris": [redirect_uri],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }
        told = await _posted(http, issuer.registration_endpoint, body=wanted)
        made = told.get("client_id") if isinstance(told, dict) else None
        if not isinstance(made, str) or not made:
            raise ToolFailed(f"the issuer {issuer.issuer} registered us without a client_id")
        return made, None

    def _http(self) -> httpx2.AsyncClient:
        rules = EgressRules(answer_bytes_max=ANSWER_BYTES_MAX, seconds_max=TIMEOUT_S)
        return httpx2.AsyncClient(transport=self._clients.transport(rules), follow_redirects=False, trust_env=False, timeout=TIMEOUT_S)


async def _found(http: httpx2.AsyncClient, places: list[str], kind: type[M]) -> M | None:
    """Return the first document that is one."""
    for place in places:
        response = await _sent(http, httpx2.Request("GET", place, headers={"accept": "application/json"}))
        if response.status_code != 200:
            continue
        try:
            return kind.model_validate_json(response.content)
        except ValidationError:
            continue
    return None


async def _posted(http: httpx2.AsyncClient, endpoint: str, *, form: dict[str, str] | None = None, body: JsonValue = None) -> JsonValue:
    """Send a form, or a JSON body, and return the answer.

    Raises:
        ToolFailed: the issuer refuses; only its error code is told, which holds no secret.
        ToolUnavailable: it has a trouble of its own.
    """
    headers = {"accept": "application/json"}
    request = (
        httpx2.Request("POST", endpoint, data=form, headers=headers)
        if form
        else httpx2.Request("POST", endpoint, json=body, headers=headers)
    )
    response = await _sent(http, request)
    try:
        told = cast("JsonValue", json.loads(response.content))
    except ValueError:
        told = None
    if response.status_code >= 500:
        raise ToolUnavailable(f"the authorization server answers {response.status_code}")
    if response.status_code >= 300:
        code = told.get("error") if isinstance(told, dict) else None
        known = code if isinstance(code, str) and code.isidentifier() else f"HTTP {response.status_code}"
        raise ToolFailed(f"the authorization server refuses: {known}")
    return told


async def _sent(http: httpx2.AsyncClient, request: httpx2.Request) -> httpx2.Response:
    """Send a request and read its answer.

    Raises:
        ToolUnavailable: there is none.
    """
    try:
        return await http.send(request)
    except httpx2.TransportError as error:
        raise ToolUnavailable(f"no answer from {request.url.host}: {type(error).__name__}") from error


def _parameter(challenge: str, name: str) -> str | None:
    """Return a quoted parameter of a WWW-Authenticate header (RFC 9110 §11.6.1)."""
    _, found, rest = challenge.partition(f'{name}="')
    return rest.partition('"')[0] if found else None
