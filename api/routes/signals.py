"""`POST /v1/runs/{run_id}/signals/{name}`: signals for steps that listen; `approve` is a route of its own."""

import hashlib
import secrets
from typing import Annotated

from fastapi import FastAPI
from pydantic import JsonValue, StringConstraints

from api.context import Context
from api.deps import GatewayDeps, instant
from api.queries import RunIdInPath
from domain.canonical import canonical_bytes
from domain.errors import InvalidInput, NotFound, RunClosed, Unavailable
from domain.ledger import Kind
from domain.model import Value
from domain.runs import RunStatus
from domain.signals import SIGNAL_BYTES_MAX, Signal, is_signal_name


class SignalBody(Value):
    """A signal's payload, at most 8 KiB of JSON; `key` is what the listening step's `correlate` must equal, None for any."""

    payload: JsonValue = None
    key: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None


class SignalAccepted(Value):
    """The signal is with the run; `id` is under which its ledger knows it."""

    run: str
    signal: str
    id: str


class SignalRoutes:
    """Signals over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps

    def add_to(self, app: FastAPI) -> None:
        """Add the route; the route of `approve` must have been added before."""
        app.router.add_api_route("/v1/runs/{run_id}/signals/{name}", self.send_signal, methods=["POST"], tags=["runs"], status_code=202)

    async def send_signal(self, run_id: RunIdInPath, name: str, body: SignalBody, context: Context) -> SignalAccepted:
        """Send a run a signal. A step that listens for `name` takes it; one that comes too early is kept for that step.

        Raises:
            NotFound: no such run, or no name of a signal.
            InvalidInput: the payload is over 8 KiB.
            RunClosed: the run has ended.
            Unavailable: it has not started yet, or Temporal is down.
        """
        if not is_signal_name(name):
            raise NotFound(f"{name[:60]!r} is no name of a signal: lower-case words, joined by . - or _")
        size = len(canonical_bytes(body.payload))
        if size > SIGNAL_BYTES_MAX:
            raise InvalidInput(
                f"the payload has {size} bytes and may have {SIGNAL_BYTES_MAX}: send the parts a run needs", where="/payload"
            )
        tenant = context.principal.tenant
        row = await self._deps.runs.get(tenant, run_id)
        if row.status.closed:
            raise RunClosed(f"run {run_id} has ended: {row.status}")
        given = f"{tenant}\0{run_id}\0{name}\0{context.idempotency_key or secrets.token_hex(16)}"
        signal_id = hashlib.sha256(f"standfast:signal:v1\0{given}".encode()).hexdigest()[:32]
        ref = await self._deps.runs.append_entry(
            tenant,
            run_id,
            kind=Kind.SIGNAL_SENT,
            principal=context.principal.id,
            at=instant(self._deps.now()),
            data={"signal": name, "id": signal_id},
            content={"key": body.key, "payload": body.payload},
        )
        context.kept = True
        signal = Signal(id=signal_id, name=name, payload=body.payload, key=body.key, ref=ref, source=context.principal.id)
        try:
            await self._deps.temporal.deliver_signal(tenant, run_id, signal)
        except RunClosed as ended:
            if row.status is RunStatus.ACCEPTED:
                raise Unavailable(f"run {run_id} has not been started yet; send the signal again in a moment", retry_after_s=1) from ended
            raise
        return SignalAccepted(run=run_id, signal=name, id=signal_id)
