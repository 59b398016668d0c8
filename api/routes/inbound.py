"""`POST /hooks/{source}`: requests of registered senders, verified over their raw bytes before anything is parsed (PROOF B19).

No key is asked: the address names hook and tenant, and the signature says who sends. What is accepted counts once per webhook id.
"""

import logging
import time

from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import JsonValue

from api.context import context_of
from api.deps import GatewayDeps, instant
from api.hook_handling import Handling, body_value, webhook_id_of
from api.hook_redriving import begin
from api.hook_views import ChallengeAnswer, HookAnswer, answer_of
from api.idempotency import REPLAYED
from api.json_body import read_bytes
from api.rates import Rates
from domain.errors import InvalidId, NotFound, SignatureRefused, StandfastError, TooManyRequests
from domain.hook_stores import FoundHook
from domain.hook_verifiers import SignedRequest, read_headers, secret_key, verify
from domain.hooks import Hook
from domain.ids import parse_id

log = logging.getLogger(__name__)


class InboundRoutes:
    """The one route that takes webhooks."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps
        self._handling = Handling(deps)
        self._rates = Rates(time.monotonic)

    def add_to(self, app: FastAPI) -> None:
        """Add the route."""
        app.router.add_api_route(
            "/hooks/{source}", self.receive_webhook, methods=["POST"], tags=["hooks"], status_code=202, response_model=HookAnswer
        )

    async def receive_webhook(self, source: str, request: Request) -> Response:
        """Take a webhook: 202 says that it is stored, and will be handled once. A repeated one gets the first answer.

        Raises:
            NotFound: no hook has this address.
            SignatureRefused: it is not signed as its hook says, or too old.
            BodyTooLarge: over 1 MiB.
            TooManyRequests: more than the hook takes in a minute.
            Unavailable: it could not be stored; send it again.
        """
        found = await self._found(source)
        hook = found.hook
        claimed = self._claimed(found, request)
        body = await read_bytes(request)
        signature = self._verified(found, claimed, body)
        if wait_s := self._rates.take(hook.hook, per_minute=hook.rate_per_minute):
            raise TooManyRequests(f"this hook takes {hook.rate_per_minute} requests a minute", retry_after_s=wait_s)
        if (challenge := _challenge(hook, body)) is not None:
            return Response(challenge.model_dump_json(), media_type="application/json")
        return await self._handle(hook, claimed, body, signature, context_of(request).correlation_id)

    async def _found(self, source: str) -> FoundHook:
        try:
            found = await self._deps.hooks.hooks.find(parse_id(source, "hok"), at=instant(self._deps.now()))
        except InvalidId:
            found = None
        if found is None:
            raise NotFound("no hook has this address")
        return found

    def _claimed(self, found: FoundHook, request: Request) -> SignedRequest:
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in request.headers.raw]
        hook = found.hook
        return read_headers(hook.scheme, headers, now_s=self._deps.now().timestamp(), tolerance_s=hook.tolerance_s)

    def _verified(self, found: FoundHook, claimed: SignedRequest, body: bytes) -> str:
        hook = found.hook
        try:
            return verify(claimed, body, [secret_key(hook.scheme, secret) for secret in found.secrets])
        except SignatureRefused:
            log.warning("a request to hook %s (%s) was refused: its signature does not fit", hook.hook, hook.name)
            raise

    async def _handle(self, hook: Hook, claimed: SignedRequest, body: bytes, signature: str, correlation_id: str) -> Response:
        webhook_id = webhook_id_of(hook, claimed.id, _said(hook, body), body, f"{claimed.time}:{signature}")
        work = await self._handling.work(hook, webhook_id=webhook_id, event=claimed.type, raw=body, correlation_id=correlation_id)
        stored, fresh = await self._deps.hooks.requests.accept(work.request, run=work.run, letter=work.letter)
        if fresh:
            await begin(self._deps, stored, work)
        headers = {} if fresh else {REPLAYED: "true"}
        return Response(answer_of(stored).model_dump_json(), status_code=202, media_type="application/json", headers=headers)


def _said(hook: Hook, body: bytes) -> JsonValue:
    try:
        return body_value(hook, body)
    except StandfastError:  # it becomes a dead letter, which says so
        return None


def _challenge(hook: Hook, body: bytes) -> ChallengeAnswer | None:
    """Slack asks once, signed as everything else, whether the address is ours; nothing is done for it."""
    said = _said(hook, body) if hook.scheme == "slack" else None
    if isinstance(said, dict) and said.get("type") == "url_verification" and "challenge" in said:
        return ChallengeAnswer(challenge=said["challenge"])
    return None
