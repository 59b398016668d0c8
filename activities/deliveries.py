"""`standfast.send_delivery`: one attempt of one delivery. Not journaled: a delivery's own rows say what was tried (docs/webhooks.md).

A worker that dies between the two transactions leaves an open attempt, and the next one sends the same event under the same id.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from temporalio import activity

from activities.heartbeats import beating
from domain.deliveries import AttemptResult, Channel, DeliveryState, Next, Outgoing, SendAnswer, SendRequest, after
from domain.delivery_stores import DeliveryStore
from domain.errors import StandfastError

log = logging.getLogger(__name__)

SEND_DELIVERY = "standfast.send_delivery"

ATTEMPT_S = 30.0
"""Longest attempt of any channel."""

ENDPOINT_PLACES, ALL_PLACES = 8, 96
"""Attempts under way at once in one worker: to one endpoint, and in all. Below half of a worker's activity slots, so that endpoints which
never answer hold up neither each other nor any run."""


class DeliveryActivities:
    """Sends deliveries through the channels by kind."""

    def __init__(
        self,
        *,
        deliveries: DeliveryStore,
        channels: Mapping[str, Channel],
        endpoint_places: int = ENDPOINT_PLACES,
        all_places: int = ALL_PLACES,
    ) -> None:
        self._deliveries = deliveries
        self._channels = channels
        self._taken: Counter[tuple[str, str, str]] = Counter()
        self._endpoint_places = endpoint_places
        self._all_places = all_places

    @activity.defn(name=SEND_DELIVERY)
    async def send_delivery(self, request: SendRequest) -> SendAnswer:
        """Make the attempt, or say when to come back. Raises: NotFound, Unavailable."""
        place = (request.tenant, request.channel, request.endpoint)
        async with beating(), self._place(place) as free:
            if not free:
                return _answer(request, AttemptResult(outcome="busy"))
            begun = await self._deliveries.begin(request.tenant, request.delivery, round_=request.round, attempt=request.attempt)
            if isinstance(begun, DeliveryState):
                return SendAnswer(state=begun.value)
            if isinstance(begun, AttemptResult):
                return _answer(request, begun)
            result = await self._send(begun)
            then = _after(request, result)
            await self._deliveries.settle(begun, result, then)
        return _told(then, busy=result.outcome == "busy")

    @asynccontextmanager
    async def _place(self, place: tuple[str, str, str]) -> AsyncGenerator[bool]:
        """Hold one of the endpoint's places while the block runs; False when all are taken."""
        if self._taken[place] >= self._endpoint_places or self._taken.total() >= self._all_places:
            yield False
            return
        self._taken[place] += 1
        try:
            yield True
        finally:
            self._taken[place] -= 1
            if not self._taken[place]:
                del self._taken[place]

    async def _send(self, outgoing: Outgoing) -> AttemptResult:
        channel = self._channels.get(outgoing.channel)
        if channel is None:
            return AttemptResult(outcome="failed", detail=f"this worker has no channel {outgoing.channel}: install its plugin")
        try:
            async with asyncio.timeout(ATTEMPT_S):
                return await channel.send(outgoing.endpoint, outgoing)
        except TimeoutError:
            return AttemptResult(outcome="failed", detail=f"no answer within {ATTEMPT_S:g} s")
        except StandfastError as error:
            return AttemptResult(outcome="failed", detail=error.detail)
        except (
            Exception
        ) as error:  # a channel may be a plugin: its fault ends in the delivery log and the schedule, not in a retry for ever
            log.exception("the channel %s failed on delivery %s", outgoing.channel, outgoing.delivery)
            return AttemptResult(outcome="failed", detail=f"the channel failed: {type(error).__name__}")


def _after(request: SendRequest, result: AttemptResult) -> Next:
    return after(result, attempt=request.attempt, schedule=request.schedule, chance=request.chance, waits=request.waits)


def _answer(request: SendRequest, result: AttemptResult) -> SendAnswer:
    return _told(_after(request, result), busy=result.outcome == "busy")


def _told(then: Next, *, busy: bool) -> SendAnswer:
    return SendAnswer(state=then.state.value, attempt=then.attempt, pause_s=then.pause_s, busy=busy)
