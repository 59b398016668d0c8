"""OAuth 2.1 as MCP asks for it: discovery, PKCE, resource indicators, and the checks of what comes back. Pure; an adapter sends.

RFC 9728 (protected resources), RFC 8414 (issuers), RFC 7591 (registration), RFC 7636 (PKCE), RFC 8707 (resources), RFC 9207 (iss).
"""

import base64
import hashlib
import json
from typing import cast
from urllib.parse import urlencode, urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, JsonValue

from domain.errors import InvalidInput, ToolFailed

MINUTES = 10
"""How long an authorization may take; RFC 6749 §4.1.2 has codes live that long at most."""
EARLY_S = 60.0
"""A token is renewed so long before it ends: a call that begins with it should end with it."""
CALLBACK_PATH = "/callback"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class ResourceMetadata(BaseModel):
    """What a server says of itself (RFC 9728 §2)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    resource: str
    authorization_servers: list[str] = []
    scopes_supported: list[str] | None = None


class IssuerMetadata(BaseModel):
    """What an authorization server says of itself (RFC 8414 §2)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    registration_endpoint: str | None = None
    code_challenge_methods_supported: list[str] = []
    authorization_response_iss_parameter_supported: bool = False


class Begun(BaseModel):
    """What an authorization under way needs when it ends; it is kept sealed and taken once."""

    model_config = ConfigDict(frozen=True)

    server: str
    resource: str
    issuer: str
    token_endpoint: str
    client_id: str
    secret: str | None = None
    verifier: str
    redirect_uri: str
    iss_required: bool


class Tokens(BaseModel):
    """What is kept of a server that was authorized; `expires_at` is an instant in seconds, None if the server gave none."""

    model_config = ConfigDict(frozen=True)

    access_token: str
    refresh_token: str | None = None
    expires_at: float | None = None
    resource: str
    issuer: str
    token_endpoint: str
    client_id: str
    secret: str | None = None


def canonical_resource(url: str) -> str:
    """Return the resource identifier of a server: its URL without query, fragment and trailing slash, in lower-case host (RFC 8707 §2)."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), parts.path.rstrip("/"), "", ""))


def resource_places(url: str, told: str | None) -> list[str]:
    """Return where a server's metadata may lie, best first: where it says (on its own origin only), under its path, at its root."""
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    path = parts.path.rstrip("/")
    own = [told] if told is not None and _origin(told) == _origin(url) else []
    return list(
        dict.fromkeys([*own, f"{origin}/.well-known/oauth-protected-resource{path}", f"{origin}/.well-known/oauth-protected-resource"])
    )


def issuer_places(issuer: str) -> list[str]:
    """Return where an issuer's metadata may lie (RFC 8414 §3.1, OpenID Connect Discovery §4)."""
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    names = ("oauth-authorization-server", "openid-configuration")
    appended = [f"{origin}{path}/.well-known/openid-configuration"] if path else []
    return [*(f"{origin}/.well-known/{name}{path}" for name in names), *appended]


def check_resource(url: str, metadata: ResourceMetadata) -> str:
    """Return the resource that tokens are asked for.

    Raises:
        ToolFailed: the metadata is another server's.
    """
    own, told = canonical_resource(url), canonical_resource(metadata.resource)
    if own != told and not (_origin(own) == _origin(told) and f"{own}/".startswith(f"{told}/")):
        raise ToolFailed(f"the server at {own} calls itself {told}: a token for that one must not be sent here")
    return told


def check_issuer(issuer: str, metadata: IssuerMetadata, *, allow_plain: bool) -> None:
    """Refuse what is not this issuer's, or could not be used safely.

    Raises:
        ToolFailed: another issuer, no PKCE by S256, or an endpoint that is not https.
    """
    if metadata.issuer.rstrip("/") != issuer.rstrip("/"):
        raise ToolFailed(f"the metadata of the issuer {issuer} names {metadata.issuer}: it may be forged (RFC 8414 §3.3)")
    if "S256" not in metadata.code_challenge_methods_supported:
        raise ToolFailed(f"the issuer {issuer} does not offer PKCE with S256, without which codes can be stolen")
    for endpoint in (metadata.authorization_endpoint, metadata.token_endpoint, metadata.registration_endpoint):
        check_endpoint(endpoint, allow_plain=allow_plain)


def check_endpoint(endpoint: str | None, *, allow_plain: bool) -> None:
    """Refuse an endpoint that is not https, but for loopback in development.

    Raises:
        ToolFailed: it is not.
    """
    if endpoint is None:
        return
    parts = urlsplit(endpoint)
    plain = allow_plain and parts.scheme == "http" and (parts.hostname or "") in LOOPBACK
    if (parts.scheme != "https" and not plain) or parts.username or not parts.hostname:
        raise ToolFailed(f"the endpoint {parts.scheme}://{parts.hostname} of the authorization server must be https")


def checked_redirect(uri: str) -> str:
    """Return a redirect URI: `http://127.0.0.1:PORT/callback` of the machine that the person sits at (RFC 8252 §7.3).

    Raises:
        InvalidInput: it is another one, so that a code could go to somebody else.
    """
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    exact = f"http://127.0.0.1:{port}{CALLBACK_PATH}"
    if parts.hostname != "127.0.0.1" or port is None or port < 1024 or uri != exact:
        raise InvalidInput(
            f"the redirect URI must be http://127.0.0.1:PORT{CALLBACK_PATH}, with a port from 1024 on", where="/redirect_uri"
        )
    return uri


def challenge(verifier: str) -> str:
    """Return the S256 challenge of a verifier (RFC 7636 §4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).decode().rstrip("=")


def state_digest(state: str) -> str:
    """Return under what name an authorization is kept: the state itself is never stored."""
    return hashlib.sha256(b"standfast:mcp-state:v1\0" + state.encode()).hexdigest()


def authorize_url(endpoint: str, begun: Begun, *, state: str, scopes: tuple[str, ...]) -> str:
    """Return the page that a person must open."""
    query = {
        "response_type": "code",
        "client_id": begun.client_id,
        "redirect_uri": begun.redirect_uri,
        "state": state,
        "code_challenge": challenge(begun.verifier),
        "code_challenge_method": "S256",
        "resource": begun.resource,
    } | ({"scope": " ".join(scopes)} if scopes else {})
    parts = urlsplit(endpoint)
    joined = "&".join(part for part in (parts.query, urlencode(query)) if part)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, joined, ""))


def check_answer(begun: Begun, iss: str | None) -> None:
    """Refuse an answer of another issuer (mix-up, RFC 9207 §2.4).

    Raises:
        InvalidInput: `iss` is missing where it was promised, or names another one.
    """
    if (iss is None and begun.iss_required) or (iss is not None and iss.rstrip("/") != begun.issuer.rstrip("/")):
        raise InvalidInput("the answer does not come from the authorization server that was asked: begin again", where="/iss")


def code_form(begun: Begun, code: str) -> dict[str, str]:
    """Return the form that changes a code for tokens."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": begun.redirect_uri,
        "client_id": begun.client_id,
        "code_verifier": begun.verifier,
        "resource": begun.resource,
    } | ({"client_secret": begun.secret} if begun.secret else {})


def refresh_form(tokens: Tokens) -> dict[str, str]:
    """Return the form that renews an access token."""
    return {
        "grant_type": "refresh_token",
        "refresh_token": tokens.refresh_token or "",
        "client_id": tokens.client_id,
        "resource": tokens.resource,
    } | ({"client_secret": tokens.secret} if tokens.secret else {})


def checked_tokens(answer: JsonValue, kept: Begun | Tokens, *, now_s: float) -> Tokens:
    """Return the tokens of an answer.

    Raises:
        ToolFailed: it holds no bearer token, or one that says it is for another audience.
    """
    told = answer if isinstance(answer, dict) else {}
    access, kind = told.get("access_token"), told.get("token_type")
    if not isinstance(access, str) or not access or not access.isascii() or not access.isprintable():
        raise ToolFailed("the authorization server answered without an access token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise ToolFailed("the authorization server gave a token that is no bearer token")
    audience = token_audience(access)
    if audience is not None and not any(canonical_resource(one) == kept.resource for one in audience):
        raise ToolFailed(f"the token is for {', '.join(audience)[:200] or 'nobody'}, not for {kept.resource}: it is not kept")
    seconds, renewed = told.get("expires_in"), told.get("refresh_token")
    before = kept.refresh_token if isinstance(kept, Tokens) else None
    return Tokens(
        access_token=access,
        refresh_token=renewed if isinstance(renewed, str) and renewed else before,
        expires_at=now_s + float(seconds) if isinstance(seconds, int | float) and not isinstance(seconds, bool) else None,
        resource=kept.resource,
        issuer=kept.issuer,
        token_endpoint=kept.token_endpoint,
        client_id=kept.client_id,
        secret=kept.secret,
    )


def token_audience(token: str) -> list[str] | None:
    """Return whom a JWT says it is for, unverified, since only its issuer's word counts; None for a token that does not say."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = cast("object", json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))))
    except ValueError:
        return None
    audience = cast("dict[str, object]", claims).get("aud") if isinstance(claims, dict) else None
    if isinstance(audience, str):
        return [audience]
    return [str(one) for one in cast("list[object]", audience)] if isinstance(audience, list) else None


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()
