"""Redrives dead letters of deliveries: a new round under the same event id."""

from domain.dead_letters import DeadLetter
from domain.delivery_stores import DeliveryStore


class DeliveryRedriver:
    """Implements `Redriver`."""

    def __init__(self, deliveries: DeliveryStore) -> None:
        self._deliveries = deliveries

    async def redrive(self, letter: DeadLetter, *, by: str, reason: str | None) -> None:
        """Begin a new round; the relay starts it.

        Raises:
            NotFound: the delivery is gone.
        """
        del by, reason
        await self._deliveries.redeliver(letter.tenant, letter.subject)
