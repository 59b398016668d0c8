"""The outermost middleware: a correlation id for every request, and the headers every answer carries."""

import re
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.context import RequestContext, attach, labels_of

HEADER = "X-Correlation-ID"
_ACCEPTED = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


def correlation_id(given: str | None) -> str:
    """Return the caller's id when it is 1–128 plain characters, else a new one (32 hex characters)."""
    return given if given is not None and _ACCEPTED.fullmatch(given) else uuid.uuid4().hex


class CorrelationMiddleware:
    """Sets the request's context and echoes X-Correlation-ID."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context = RequestContext(correlation_id=correlation_id(Headers(scope=scope).get(HEADER)), labels=labels_of(scope))
        attach(scope, context)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[HEADER] = context.correlation_id
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)
