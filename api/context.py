"""What one HTTP request carries through the gateway; lives in the ASGI scope, set by the middleware and filled by the gate."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from domain.errors import Unauthenticated
from domain.labels import Label
from domain.principals import Principal

_PLACE = "standfast.context"
_LABELS = "standfast.labels"


@dataclass
class RequestContext:
    """One request. `kept` turns true once it stored something: its answer then belongs to its Idempotency-Key.

    `labels` say who wrote its body, where that was not the caller (domain/labels.py).
    """

    correlation_id: str
    caller: Principal | None = None
    idempotency_key: str | None = None
    kept: bool = False
    labels: tuple[Label, ...] = ()

    @property
    def principal(self) -> Principal:
        """The authenticated caller.

        Raises:
            Unauthenticated: the route is open to everybody and nobody was asked.
        """
        if self.caller is None:
            raise Unauthenticated("this request carries no principal")
        return self.caller


def written_by(label: Label, app: ASGIApp) -> ASGIApp:
    """Return the app for requests of this process whose bodies somebody else wrote than their caller."""

    async def labelled(scope: Scope, receive: Receive, send: Send) -> None:
        scope[_LABELS] = (label,)
        await app(scope, receive, send)

    return labelled


def labels_of(scope: Scope) -> tuple[Label, ...]:
    """Return what `written_by` says of a request."""
    return scope.get(_LABELS, ())


def attach(scope: Scope, context: RequestContext) -> None:
    """Put the context into the scope."""
    scope[_PLACE] = context


def context_of(request: Request) -> RequestContext:
    """Return the request's context."""
    return cast("RequestContext", request.scope[_PLACE])


Context = Annotated[RequestContext, Depends(context_of)]
