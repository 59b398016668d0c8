"""Idempotency-Key: the same key and request get the same answer, byte for byte (DESIGN §11).

A row in flight has a lease, so that a crash does not block its key. An answer belongs to the key once something was stored; a
request that was refused before that gives its key back, and a failure of ours (5xx) does too: the next attempt may succeed.
"""

import hashlib
import hmac
from collections.abc import Awaitable, Callable

from fastapi import Request
from fastapi.responses import Response

from api.context import RequestContext, context_of
from api.problems import problem_response
from domain.errors import InvalidIdempotencyKey
from domain.stores import IdempotencyStore, StoredAnswer

KEY_CHARS_MAX = 255
LEASE_S = 60.0
"""Longer than any mutation may take (a decision waits 10 s for its run)."""

REPLAYED = "Idempotency-Replayed"
KEPT_HEADERS = ("content-type", "location")

Answer = Callable[[Request], Awaitable[Response]]


def idempotency_key(request: Request) -> str | None:
    """Return the request's key.

    Raises:
        InvalidIdempotencyKey: empty, longer than 255 characters, given twice, or not printable ASCII.
    """
    given = request.headers.getlist("idempotency-key")
    if not given:
        return None
    key = given[0]
    if len(given) > 1:
        raise InvalidIdempotencyKey("send one Idempotency-Key, not several")
    if not 1 <= len(key) <= KEY_CHARS_MAX:
        raise InvalidIdempotencyKey(f"an Idempotency-Key has 1 to {KEY_CHARS_MAX} characters, this one has {len(key)}")
    if not (key.isascii() and key.isprintable()):
        raise InvalidIdempotencyKey("an Idempotency-Key has printable ASCII characters only")
    return key


def fingerprint(key: bytes, request: Request, context: RequestContext, body: bytes) -> str:
    """Return an HMAC in hex over principal, method, path, query and body: an Idempotency-Key replays one request of one principal.

    It is stored, and a plain hash of a short body, such as a person's name, could be guessed (JOURNAL §4).
    """
    parts = ("standfast:request:v1", context.principal.id, request.method, request.url.path, request.url.query)
    return hmac.new(key, "\0".join(parts).encode() + b"\0" + body, hashlib.sha256).hexdigest()


class Idempotency:
    """Answers each key once; `print_key` is a secret for fingerprints."""

    def __init__(self, store: IdempotencyStore, print_key: bytes) -> None:
        self._store = store
        self._print_key = print_key

    async def answer(self, request: Request, *, route: str, key: str, body: bytes, answer: Answer) -> Response:
        """Return the stored answer, or the endpoint's, which is then stored.

        Raises:
            IdempotencyKeyReused: another request had this key. RequestInFlight: its first request is still running.
        """
        context = context_of(request)
        tenant = context.principal.tenant
        printed = fingerprint(self._print_key, request, context, body)
        before = await self._store.begin(tenant, route=route, key=key, fingerprint=printed, lease_s=LEASE_S)
        if before is not None:
            return Response(before.body, status_code=before.status, headers={**before.headers, REPLAYED: "true"})
        try:
            response = await answer(request)
        except Exception as raised:
            response = problem_response(request, raised)
            if not context.kept or response.status_code >= 500:
                await self._store.release(tenant, route=route, key=key)
                raise
        headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
        stored = StoredAnswer(status=response.status_code, body=bytes(response.body), headers=headers)
        await self._store.finish(tenant, route=route, key=key, answer=stored)
        return response
