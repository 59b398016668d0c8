"""What opens a session: who may be spoken to, with which headers. No SDK is imported here."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field

import httpx2

from domain.mcp import McpServer
from domain.sandbox import SandboxProfile
from domain.sandbox_sessions import SandboxSessions

BEARER = "Bearer "


@dataclass(frozen=True, kw_only=True)
class Access:
    """Everything one session needs; secrets are in it, so it is made for one call and thrown away."""

    server: McpServer
    sessions: SandboxSessions
    profile: SandboxProfile | None
    transport: httpx2.AsyncBaseTransport | None
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    @property
    def secrets(self) -> list[str]:
        """The values that the server is given, tokens without their scheme."""
        return [*(value.removeprefix(BEARER) for value in self.headers.values()), *self.environment.values()]


class OriginHeaders(httpx2.Auth):
    """Puts a server's headers on requests to its own origin and to no other; remembers that it was told 401 or 403."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._origin = _origin(httpx2.URL(url))
        self._headers = dict(headers)
        self.refused: int | None = None

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Send the request with its headers."""
        if _origin(request.url) == self._origin:
            request.headers.update(self._headers)
        response = yield request
        if response.status_code in (401, 403):
            self.refused = response.status_code


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
