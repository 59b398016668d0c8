"""`/codec/{decode,encode}`: opens payloads for the Temporal Web UI, under the gateway's own keys.

Browsers ask with CORS; only the exact origins of the settings are answered. In development the Web UI of this machine may read
without a key (`codec_loopback_tenants`): the request must come from a loopback address and name an allowed origin.
"""

import ipaddress

from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.authentication import Authentication
from api.deps import GatewayDeps
from api.json_body import read_body
from api.problems import problem_response
from domain.errors import Forbidden, StandfastError
from domain.principals import Role

ENCODERS = frozenset({Role.OPERATOR, Role.ADMIN})
DECODERS = frozenset({Role.OPERATOR, Role.DEVELOPER, Role.AUDITOR, Role.ADMIN})


class CodecRoutes:
    """The codec server over HTTP."""

    def __init__(self, deps: GatewayDeps, authentication: Authentication) -> None:
        self._deps = deps
        self._authentication = authentication

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        for path, endpoint in (("/codec/decode", self.decode_payloads), ("/codec/encode", self.encode_payloads)):
            app.router.add_api_route(path, endpoint, methods=["POST"], tags=["codec"])
            app.router.add_api_route(path, self.preflight, methods=["OPTIONS"], include_in_schema=False)

    async def preflight(self, request: Request) -> Response:
        """Answer a browser's question whether it may ask."""
        return Response(status_code=204, headers=self._cors(request))

    async def decode_payloads(self, request: Request) -> Response:
        """Open Temporal payloads of the caller's tenant (proto3 JSON `Payloads` in and out)."""
        try:
            tenants = await self._readable(request)
            opened = await self._deps.codec_server.decode(await read_body(request), tenants.__contains__)
        except StandfastError as refused:
            return self._with_cors(request, problem_response(request, refused))
        return self._with_cors(request, Response(opened, media_type="application/json"))

    async def encode_payloads(self, request: Request) -> Response:
        """Seal Temporal payloads for the workflow named by `X-Workflow-Id`, which must be a run of the caller's tenant."""
        try:
            sealed = await self._sealed(request)
        except StandfastError as refused:
            return self._with_cors(request, problem_response(request, refused))
        return self._with_cors(request, Response(sealed, media_type="application/json"))

    async def _sealed(self, request: Request) -> bytes:
        """Return the sealed body.

        Raises:
            Unauthenticated: no key.
            Forbidden: another role.
            NotFound: no such run.
            BadRequest: no payloads, or no run named.
        """
        principal = await self._authentication.principal(request.headers.get("authorization"))
        if principal.role not in ENCODERS:
            raise Forbidden(f"sealing payloads needs the role operator or admin; the key's principal is {principal.role}")
        workflow_id = request.headers.get("x-workflow-id", "")
        body = await read_body(request)
        if workflow_id:
            await self._deps.runs.get(principal.tenant, workflow_id)
        return await self._deps.codec_server.encode(body, tenant=principal.tenant, workflow_id=workflow_id)

    async def _readable(self, request: Request) -> frozenset[str]:
        """Return the tenants whose payloads the caller may read.

        Raises:
            Unauthenticated: no key.
            Forbidden: a role that may read none.
        """
        header = request.headers.get("authorization")
        if header is None and self._is_local_ui(request):
            return frozenset(self._deps.codec_loopback_tenants)
        principal = await self._authentication.principal(header)
        if principal.role not in DECODERS:
            raise Forbidden(f"reading payloads needs the role {', '.join(sorted(DECODERS))}; the key's principal is {principal.role}")
        return frozenset({principal.tenant})

    def _is_local_ui(self, request: Request) -> bool:
        if not self._deps.codec_loopback_tenants or request.headers.get("origin") not in self._deps.codec_origins:
            return False
        try:
            return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
        except ValueError:
            return False

    def _cors(self, request: Request) -> dict[str, str]:
        """Return the CORS headers for an allowed origin, none for another."""
        origin = request.headers.get("origin", "")
        if origin not in self._deps.codec_origins:
            return {"Vary": "Origin"}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": "POST",
            "Access-Control-Allow-Headers": "content-type,x-namespace,x-workflow-id,authorization",
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Max-Age": "600",
            "Vary": "Origin",
        }

    def _with_cors(self, request: Request, response: Response) -> Response:
        response.headers.update(self._cors(request))
        return response
