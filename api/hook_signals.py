"""Carries the signals of inbound webhooks to their runs; the route, the sweeper and redrives share it.

A request first claims its run in the database, then the signal is sent, as often as it takes, under one id: the run counts it once.
"""

import json
from datetime import datetime, timedelta

from api.deps import GatewayDeps, instant
from api.hook_handling import Refused, dead
from domain.errors import NotFound, RunClosed
from domain.hook_stores import HookRequest, NewHookRequest
from domain.hooks import PlannedSignal, SignalAction, signal_id
from domain.ledger import Kind
from domain.runs import RunStatus
from domain.signals import Signal, listener_hash

CAME = frozenset({Kind.SIGNAL_RECEIVED, Kind.SIGNAL_KEPT, Kind.SIGNAL_REFUSED})
"""Facts that say that a signal reached its run."""

TOLD_ALL = frozenset({RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED})
"""How a run ends whose workflow wrote down all that it knew."""


async def deliver(deps: GatewayDeps, request: HookRequest) -> None:
    """Take an unsettled request one step further: to its run, back to waiting, or to the dead letters.

    Raises:
        Unavailable: a part is away; the sweeper tries again.
        ReferenceMissing: what is kept of the request is gone.
    """
    held = await deps.hooks.requests.held(request.tenant, request.hook, request.webhook_id)
    if held is None or held.signal is None:
        return
    signal = held.signal
    if request.state == "waiting":
        request = await _aimed(deps, request, signal)
    if request.state == "sending" and request.run is not None:
        await _send(deps, request, request.run)
    elif request.state == "waiting" and await _over(deps, request, signal):
        target = f"run {signal.run} is not open" if signal.run else f"no run listened for {signal.signal} in time"
        await _give_up(deps, request, Refused("no-listener", target))


async def _aimed(deps: GatewayDeps, request: HookRequest, signal: PlannedSignal) -> HookRequest:
    secret, hashed = deps.attestation_key, None
    if signal.key is not None:
        hashed = listener_hash(secret, tenant=request.tenant, signal=signal.signal, key=signal.key)
    return await deps.hooks.requests.aim(request.tenant, request.hook, request.webhook_id, hashed=hashed, at=instant(deps.now()))


async def _send(deps: GatewayDeps, request: HookRequest, run: str) -> None:
    """Send what stands in the claimed request, which names the stored payload."""
    store, place = deps.hooks.requests, (request.tenant, request.hook, request.webhook_id)
    held = await store.held(*place)
    if held is None or held.signal is None:
        return
    planned = held.signal
    signal = Signal(
        id=signal_id(request.hook, request.webhook_id),
        name=planned.signal,
        payload=planned.payload,
        key=planned.key,
        ref=planned.ref,
        source=request.hook,
    )
    try:
        await deps.temporal.deliver_signal(request.tenant, run, signal)
    except RunClosed:
        await _settle_ended(deps, request, run, signal.id)
        return
    await store.settle(*place, state="delivered")


async def _settle_ended(deps: GatewayDeps, request: HookRequest, run: str, signal: str) -> None:
    """Settle a signal whose run has ended: the run's ledger knows whether it came. Only one that surely did not may go to another run."""
    row = await deps.runs.get(request.tenant, run)
    if not row.status.closed:  # accepted and not started yet, or about to be closed: the sweeper comes again
        return
    place = (request.tenant, request.hook, request.webhook_id)
    if await _came(deps, request.tenant, run, signal):
        await deps.hooks.requests.settle(*place, state="delivered")
    elif row.status in TOLD_ALL:
        await deps.hooks.requests.unaim(*place)
    else:
        lost = f"run {run} was ended from outside ({row.status}) while the signal was sent, and nobody knows whether it came"
        await _give_up(deps, request, Refused("signal-in-doubt", lost))


async def _came(deps: GatewayDeps, tenant: str, run: str, signal: str) -> bool:
    after = 0
    while entries := await deps.ledger.entries(tenant, run, after=after):
        for entry in entries:
            if entry.kind in CAME and json.loads(entry.body)["data"].get("id") == signal:
                return True
        after = entries[-1].seq
    return False


async def _over(deps: GatewayDeps, request: HookRequest, signal: PlannedSignal) -> bool:
    """Whether a waiting signal is to be given up: its run is gone, its hook is, or its time is over."""
    if signal.run is not None:
        try:
            return (await deps.runs.get(request.tenant, signal.run)).status.closed
        except NotFound:
            return True
    try:
        action = (await deps.hooks.hooks.get(request.tenant, request.hook)).action
    except NotFound:
        return True
    hold_s = action.hold_s if isinstance(action, SignalAction) else 0
    return datetime.fromisoformat(request.received_at) + timedelta(seconds=hold_s) <= deps.now()


async def _give_up(deps: GatewayDeps, request: HookRequest, refused: Refused) -> None:
    tenant, hook, webhook_id = request.tenant, request.hook, request.webhook_id
    now = NewHookRequest(
        tenant=tenant,
        hook=hook,
        source="",
        webhook_id=webhook_id,
        content="",
        first=request.first,
        correlation_id=request.correlation_id,
        at=instant(deps.now()),
    )
    letter = dead(now, refused, attempts=max(1, request.attempts), first_at=request.received_at)
    await deps.hooks.requests.settle(tenant, hook, webhook_id, state="dead", detail=refused.code, letter=letter)
