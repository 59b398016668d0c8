"""An authorization server of ours for MCP: metadata, registration, consent, codes and tokens (RFC 6749, 7636, 8707)."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send


@dataclass
class OauthServer:
    """What it gives, what it was asked, and how it misbehaves; `resource` is the MCP server it stands for."""

    origin: str = ""
    resource: str = ""
    told_resource: str | None = None
    issuer: str | None = None
    methods: tuple[str, ...] = ("S256",)
    answer: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    iss_promised: bool = True
    endpoint_scheme: str = "http"
    codes: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    forms: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    registrations: list[Any] = field(default_factory=list[Any])  # Any: JSON
    given: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            await (await self._answered(Request(scope, receive)))(scope, receive, send)

    async def _answered(self, request: Request) -> Response:
        path = request.url.path
        if path.startswith("/.well-known/oauth-protected-resource"):
            return JSONResponse({"resource": self.told_resource or self.resource, "authorization_servers": [self.origin]})
        if path == "/.well-known/oauth-authorization-server":
            return JSONResponse(self._metadata())
        if path == "/register":
            self.registrations.append(await request.json())
            return JSONResponse({"client_id": "client-1"}, status_code=201)
        if path == "/token":
            form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
            self.forms.append(form)
            return self._token(form)
        return Response(status_code=404)

    def _metadata(self) -> dict[str, JsonValue]:
        endpoints = self.origin.replace("http://", f"{self.endpoint_scheme}://")
        return {
            "issuer": self.issuer or self.origin,
            "authorization_endpoint": f"{self.origin}/authorize",
            "token_endpoint": f"{endpoints}/token",
            "registration_endpoint": f"{self.origin}/register",
            "code_challenge_methods_supported": list(self.methods),
            "authorization_response_iss_parameter_supported": self.iss_promised,
        }

    def consent(self, url: str) -> dict[str, str]:
        """Do what a person and their browser would: say yes, and return what comes to the redirect URI."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.origin}

    def _token(self, form: dict[str, str]) -> Response:
        if form["grant_type"] == "refresh_token":
            return self._given(form)
        asked = self.codes.pop(form.get("code", ""), None)
        digest = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).decode().rstrip("=")
        same = asked is not None and all(form.get(name) == asked[name] for name in ("redirect_uri", "client_id", "resource"))
        if asked is None or not same or digest != asked["code_challenge"]:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        return self._given(form)

    def _given(self, form: dict[str, str]) -> Response:
        self.given += 1
        token = {"access_token": f"token-{self.given}-of-{form['resource']}", "token_type": "Bearer", "expires_in": 3600}
        return JSONResponse({**token, "refresh_token": f"refresh-{self.given}", **self.answer})


def jwt(audience: JsonValue) -> str:
    """Return a token that says whom it is for; nobody here checks its signature."""
    parts = ({"alg": "none"}, {"aud": audience})
    return ".".join([*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts), "c2ln"])


def with_query(url: str, **changes: str) -> str:
    """Return a URL whose query was changed."""
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    return f"{url.partition('?')[0]}?{urlencode({**asked, **changes})}"
