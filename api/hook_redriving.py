"""Redrives a dead inbound request: it is handled anew by the hook's rules of now, under the same webhook id."""

from contextlib import suppress

from api.deps import GatewayDeps
from api.hook_handling import Handling, Work
from api.hook_signals import deliver
from api.starting import start_accepted
from domain.dead_letters import DeadLetter
from domain.errors import NotRedrivable, Unavailable
from domain.hook_stores import HookRequest


async def begin(deps: GatewayDeps, stored: HookRequest, work: Work) -> None:
    """Begin what was stored: the run, or the way of the signal. What is away then is left to the sweeper."""
    with suppress(Unavailable):
        if work.run is not None:
            await start_accepted(deps, await deps.runs.get(stored.tenant, work.run.run), work.prepared)
        elif stored.state in ("waiting", "sending"):
            await deliver(deps, stored)


class HookRedriver:
    """Redrives dead letters of the kind `hook`."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps
        self._handling = Handling(deps)

    async def redrive(self, letter: DeadLetter, *, by: str, reason: str | None) -> None:
        """Handle the request again.

        Raises:
            NotRedrivable: the hook is gone, nothing is kept of the request, or it would fail again.
            NotFound, ReferenceMissing, Unavailable: as the stores.
        """
        del by, reason  # the dead letter keeps both
        hook_id, _, webhook_id = letter.subject.partition("/")
        hook = await self._deps.hooks.hooks.get(letter.tenant, hook_id)
        requests = self._deps.hooks.requests
        known, held = await requests.get(letter.tenant, hook_id, webhook_id), await requests.held(letter.tenant, hook_id, webhook_id)
        if known.state != "dead":
            return
        if held is None:
            raise NotRedrivable(f"nothing is kept of the request {webhook_id}")
        work = await self._handling.work(
            hook, webhook_id=webhook_id, event=held.event, raw=held.body.encode("latin-1"), correlation_id=known.correlation_id
        )
        if work.letter is not None:
            raise NotRedrivable(f"the request would fail again with {work.letter.cause}: {work.letter.detail}")
        await begin(self._deps, await requests.revive(work.request, run=work.run), work)
