"""The activity that keeps the row by which a signal from outside finds a listening run. Nothing outside the platform is touched."""

from temporalio import activity

from activities.requests import KEEP_LISTENER, ListenerRequest
from domain.envelope import Envelope, Receipt
from domain.signals import ListenerProjection, ListenerStore, listener_hash


class ListenerActivities:
    """Opens and closes listeners. `secret` is the 32-byte key under which signals and keys are hashed; the gateway has the same."""

    def __init__(self, *, listeners: ListenerStore, secret: bytes) -> None:
        self._listeners = listeners
        self._secret = secret

    @activity.defn(name=KEEP_LISTENER)
    async def keep_listener(self, envelope: Envelope) -> Receipt:
        """Open or close a step's listener; an older word than the one that stands changes nothing. Raises: NotFound, Unavailable."""
        asked = ListenerRequest.model_validate(envelope.request)
        hashed = listener_hash(self._secret, tenant=envelope.tenant, signal=asked.signal, key=asked.key)
        listener = ListenerProjection(step=asked.step, visit=asked.visit, signal=asked.signal, hash=hashed, opened=asked.opened)
        await self._listeners.keep(envelope.tenant, envelope.run, listener, epoch=envelope.epoch, fact_seq=asked.fact_seq)
        return Receipt()
