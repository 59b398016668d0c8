"""Who am I, is it alive, is it ready, and the API's own description."""

import asyncio
from enum import Enum
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response

from api.context import Context
from api.deps import GatewayDeps, ReadyCheck
from api.problems import Mistake, Mistaken
from domain.errors import NotFound, Unavailable
from domain.model import Value
from domain.principals import Principal

READY_TIMEOUT_S = 2.0
STATIC = Path(__file__).parents[1] / "static"
ASSETS = {"reference.js": "text/javascript", "reference.css": "text/css"}
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    ),
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
}


class Alive(Value):
    """The process answers."""

    status: str = "alive"


class Ready(Value):
    """Every part the gateway needs answers; `checks` names them."""

    status: str = "ready"
    checks: dict[str, str]


class PlatformRoutes:
    """Probes, identity, documentation."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["platform"]

        async def openapi_document() -> JSONResponse:
            """Show this API's OpenAPI description."""
            return JSONResponse(app.openapi())

        app.router.add_api_route("/v1/principal", self.get_principal, methods=["GET"], tags=tags)
        app.router.add_api_route("/livez", self.livez, methods=["GET"], tags=tags)
        app.router.add_api_route("/readyz", self.readyz, methods=["GET"], tags=tags)
        app.router.add_api_route("/openapi.json", openapi_document, methods=["GET"], include_in_schema=False)
        app.router.add_api_route("/docs", self.docs_page, methods=["GET"], include_in_schema=False)
        app.router.add_api_route("/docs/{asset}", self.docs_asset, methods=["GET"], include_in_schema=False)

    async def get_principal(self, context: Context) -> Principal:
        """Show whose key this is."""
        return context.principal

    async def livez(self) -> Alive:
        """Say that the process answers; nothing else is asked."""
        return Alive()

    async def readyz(self) -> Ready:
        """Say whether every part the gateway needs answers; 503 names those that do not.

        Raises:
            Mistaken: Unavailable, with each part that fails.
        """
        names = list(self._deps.ready_checks)
        failures = await asyncio.gather(*(_failure(self._deps.ready_checks[name]) for name in names))
        broken = [Mistake(where=name, detail=why) for name, why in zip(names, failures, strict=True) if why is not None]
        if broken:
            raise Mistaken(Unavailable(f"not ready: {', '.join(m.where for m in broken)}", retry_after_s=1), broken)
        return Ready(checks=dict.fromkeys(names, "ok"))

    async def docs_page(self) -> Response:
        """Show the API reference: plain HTML that reads /openapi.json and asks no other host."""
        return Response((STATIC / "reference.html").read_bytes(), media_type="text/html", headers=PAGE_HEADERS)

    async def docs_asset(self, asset: str) -> Response:
        """Serve the reference's script and style.

        Raises:
            NotFound: it has no such file.
        """
        if asset not in ASSETS:
            raise NotFound(f"the reference has no file {asset[:60]!r}")
        return Response((STATIC / asset).read_bytes(), media_type=ASSETS[asset], headers=PAGE_HEADERS)


async def _failure(check: ReadyCheck) -> str | None:
    """Return why a check fails, or None; the reason of an unknown failure stays out of an open route."""
    try:
        await asyncio.wait_for(check(), READY_TIMEOUT_S)
    except TimeoutError:
        return f"no answer in {READY_TIMEOUT_S:g} s"
    except Exception as failed:  # noqa: BLE001  # a probe reports every failure and is never one
        return f"failed: {type(failed).__name__}"
    return None
