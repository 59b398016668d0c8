"""The one way into an endpoint: permission, then body, then Idempotency-Key, then the endpoint.

FastAPI reads bodies before it asks dependencies, so a stranger could make the gateway parse; a route class asks first.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.routing import compile_path

from api.authentication import Authentication
from api.context import context_of
from api.idempotency import Idempotency, idempotency_key
from api.json_body import parsed, read_body, with_body
from api.permissions import OPEN_ROUTES, PERMISSIONS
from domain.errors import Forbidden

MUTATIONS = frozenset({"POST", "PUT", "PATCH", "DELETE"})

KEYED_BY_THEMSELVES = frozenset({("POST", "/v1/runs")})
"""Routes whose own row keeps the Idempotency-Key: a start's lives as long as its run (DESIGN §15)."""

Endpoint = Callable[[Request], Awaitable[Response]]


class Gate:
    """Lets a request through to its endpoint, or refuses it."""

    def __init__(self, authentication: Authentication, idempotency: Idempotency) -> None:
        self._authentication = authentication
        self._idempotency = idempotency

    async def enter(self, request: Request, path: str, endpoint: Endpoint) -> Response:
        """Return the endpoint's answer. `path` is the route's template.

        Raises:
            Forbidden: no row in the table, or another role.
            Unauthenticated, BadRequest, InvalidInput, IdempotencyKeyReused, RequestInFlight, and the endpoint's own.
        """
        route = (request.method, path)
        if route in OPEN_ROUTES:
            return await endpoint(request)
        allowed = PERMISSIONS.get(route)
        if allowed is None:
            raise Forbidden(f"{request.method} {path} is in no permission table, so nobody may use it")
        context = context_of(request)
        context.caller = await self._authentication.principal(request.headers.get("authorization"))
        if context.caller.role not in allowed:
            roles = " or ".join(sorted(allowed))
            raise Forbidden(f"this needs the role {roles}; the key's principal is {context.caller.role}")
        if request.method not in MUTATIONS:
            return await endpoint(request)
        context.idempotency_key = idempotency_key(request)
        body = await read_body(request)
        if body:
            parsed(body)
        fresh = with_body(request, body)
        if context.idempotency_key is None or route in KEYED_BY_THEMSELVES:
            return await endpoint(fresh)
        name = f"{request.method} {path}"
        return await self._idempotency.answer(fresh, route=name, key=context.idempotency_key, body=body, answer=endpoint)


def gated_route(gate: Gate) -> type[APIRoute]:
    """Return the route class whose endpoints stand behind `gate`."""

    class GatedRoute(APIRoute):
        """A route behind the gate, which FastAPI analyses when it is first used.

        Analysing all of them takes most of the time in which a gateway starts, and a process uses few of them soon.
        """

        _options: dict[str, Any] | None  # Any: what FastAPI passes to its own constructor

        def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401  # FastAPI's own signature
            self.path, self.endpoint, self._options = path, endpoint, options
            self.path_regex, self.path_format, self.param_convertors = compile_path(path)
            self.methods = {method.upper() for method in options["methods"]}

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whichever attribute FastAPI's constructor sets
            """Let FastAPI's constructor make the rest when anyone asks for some of it; finding the route needs none.

            Raises:
                AttributeError: its constructor makes no such thing.
            """
            options = self.__dict__.get("_options")
            if options is None:
                raise AttributeError(name)
            self._options = None
            super().__init__(self.path, self.endpoint, **options)
            return getattr(self, name)

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:  # Any: FastAPI's own signature
            """Return the endpoint's handler behind the gate."""
            endpoint = super().get_route_handler()
            path = self.path_format

            async def gated(request: Request) -> Response:
                return await gate.enter(request, path, endpoint)

            return gated

    return GatedRoute
