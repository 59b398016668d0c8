"""JSON shapes of inbound webhooks: what is asked, and what is shown."""

from typing import Annotated

from fastapi import Depends, Path, Query
from pydantic import Field, JsonValue, StringConstraints

from api.queries import Cursor, Limit
from domain.hook_stores import HookRequest, RequestState
from domain.hook_verifiers import Scheme
from domain.hooks import Hook, HookRules
from domain.ids import parse_id
from domain.model import Value

KEEP_S_MAX = 30 * 86_400

Secret = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class HookBody(HookRules):
    """A hook to register. Without `secret` one is made, and shown once; GitHub takes yours, Stripe and Slack give you theirs."""

    scheme: Scheme
    secret: Secret | None = None


class SecretBody(Value):
    """A new secret; those before it stay valid for `keep_s` seconds more."""

    secret: Secret | None = None
    keep_s: Annotated[int, Field(ge=0, le=KEEP_S_MAX)] = 86_400


class HookView(HookRules):
    """A hook. `address` is where its sender posts; `secrets` are the valid ones by id, with the end of those that were replaced."""

    hook: str
    address: str
    scheme: Scheme
    secrets: dict[str, str | None]
    created_by: str
    created_at: str
    updated_at: str


class HookWithSecret(HookView):
    """A hook with the secret that was made for it: it is shown this once. None when you brought your own."""

    secret: str | None = None


class HookRemoved(Value):
    """The answer to a removal."""

    hook: str
    removed: bool = True


class HookRequestView(Value):
    """One request: its id as the sender gave it, and how far it is. `run` is the run that it started or that its signal went to."""

    webhook_id: str
    state: RequestState
    run: str | None
    correlation_id: str
    received_at: str
    settled_at: str | None
    attempts: int
    detail: str | None


class HookAnswer(Value):
    """What a sender is told: the same for every repetition of a request, whatever became of it since.

    `state` is started, waiting (a signal, until a run listens), ignored, or dead (it could not be handled, and is kept for an operator).
    """

    id: str
    state: RequestState
    run: str | None = None
    correlation_id: str


class ChallengeAnswer(Value):
    """What Slack is told when it asks whether the address is ours."""

    challenge: JsonValue


class PageQuery(Value):
    """A page."""

    limit: Limit = 50
    cursor: Cursor | None = None


def _hook_id(hook_id: Annotated[str, Path(description="hok_ and 26 characters")]) -> str:
    return parse_id(hook_id, "hok")


HookIdInPath = Annotated[str, Depends(_hook_id)]
HookPage = Annotated[PageQuery, Query()]


def hook_view(hook: Hook) -> HookView:
    """Return what is shown of a hook."""
    shown = hook.model_dump(include={*HookView.model_fields} - {"address", "action"})
    return HookView(**shown, action=hook.action, address=f"/hooks/{hook.hook}")


def request_view(request: HookRequest) -> HookRequestView:
    """Return what is shown of a request."""
    return HookRequestView.model_validate(request.model_dump(include=set(HookRequestView.model_fields)))


def answer_of(request: HookRequest) -> HookAnswer:
    """Return the answer that a request's row tells for ever."""
    run = request.run if request.first == "started" else None
    return HookAnswer(id=request.webhook_id, state=request.first, run=run, correlation_id=request.correlation_id)
