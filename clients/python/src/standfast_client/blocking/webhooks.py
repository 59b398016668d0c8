"""Outgoing webhooks, blocking."""

from collections.abc import Sequence

from standfast_client.drivers import Driver
from standfast_client.flows import webhooks
from standfast_client.webhooks import Delivery, Replay, TestDelivery, Webhook, WebhookRemoved


class Webhooks:
    """Where events go, and what became of each delivery."""

    def __init__(self, driver: Driver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    def create(
        self,
        url: str,
        events: Sequence[str],
        *,
        description: str = "",
        ordered: bool = False,
        secret: str | None = None,
        idempotency_key: str | None = None,
    ) -> Webhook:
        """Register a URL for events from now on; `secret` of the answer is shown this once.

        Args:
            url: An https URL.
            events: Types such as `run.succeeded`, `approval.*` or `*`.
            description: For people.
            ordered: Events of one run arrive one after the other.
            secret: `whsec_` and base64 of 24 to 64 bytes; one is made when None.
            idempotency_key: A random key when None.

        Raises:
            InvalidInputError: URL, events or secret cannot be used.
        """
        flow = webhooks.create(
            self._driver.link,
            url,
            events,
            description=description,
            ordered=ordered,
            secret=secret,
            idempotency_key=idempotency_key,
        )
        return self._driver.run(flow)

    def get(self, webhook: str) -> Webhook:
        """Read one webhook."""
        return self._driver.run(webhooks.webhook(self._driver.link, webhook))

    def change(
        self,
        webhook: str,
        *,
        url: str | None = None,
        events: Sequence[str] | None = None,
        description: str | None = None,
        ordered: bool | None = None,
        enabled: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Webhook:
        """Change what is given, and nothing else; `enabled=True` also clears that the endpoint answered 410."""
        flow = webhooks.change(
            self._driver.link,
            webhook,
            url=url,
            events=events,
            description=description,
            ordered=ordered,
            enabled=enabled,
            idempotency_key=idempotency_key,
        )
        return self._driver.run(flow)

    def remove(self, webhook: str, *, idempotency_key: str | None = None) -> WebhookRemoved:
        """Take a webhook away with its secrets; deliveries that wait are discarded."""
        return self._driver.run(webhooks.remove(self._driver.link, webhook, idempotency_key=idempotency_key))

    def rotate(
        self, webhook: str, *, overlap_s: int | None = None, secret: str | None = None, idempotency_key: str | None = None
    ) -> Webhook:
        """Begin a new secret; the one before it goes on signing for `overlap_s` seconds, a day when None."""
        flow = webhooks.rotate(self._driver.link, webhook, overlap_s=overlap_s, secret=secret, idempotency_key=idempotency_key)
        return self._driver.run(flow)

    def test(self, webhook: str, *, idempotency_key: str | None = None) -> TestDelivery:
        """Send a test event; `delivery` shows what came of it."""
        return self._driver.run(webhooks.send_test(self._driver.link, webhook, idempotency_key=idempotency_key))

    def replay(self, webhook: str, *, from_position: int | None = None, run: str | None = None, from_sequence: int | None = None) -> Replay:
        """Send past events again under the ids they had, all of them from there on.

        Args:
            webhook: Which webhook.
            from_position: Place in the tenant's log, 0 for its beginning.
            run: Or a run's ledger …
            from_sequence: … from this entry on, 1 when None.
        """
        flow = webhooks.replay(self._driver.link, webhook, from_position=from_position, run=run, from_sequence=from_sequence)
        return self._driver.run(flow)

    def deliveries(
        self, webhook: str, *, state: str | None = None, event_type: str | None = None, run: str | None = None, limit: int = 50
    ) -> list[Delivery]:
        """Read up to `limit` deliveries, newest first, in a state (`pending delivered dead discarded`), of a type, of a run."""
        return self._driver.run(webhooks.deliveries(self._driver.link, webhook, state=state, type_=event_type, run=run, limit=limit))

    def delivery(self, webhook: str, delivery: str) -> Delivery:
        """Read one delivery with its body and every attempt."""
        return self._driver.run(webhooks.delivery(self._driver.link, webhook, delivery))

    def redeliver(self, webhook: str, delivery: str, *, idempotency_key: str | None = None) -> Delivery:
        """Send a delivery again, at once, under the same `webhook-id`."""
        return self._driver.run(webhooks.redeliver(self._driver.link, webhook, delivery, idempotency_key=idempotency_key))

    def list(self, *, limit: int = 50) -> list[Webhook]:
        """Read up to `limit` webhooks, oldest first."""
        return self._driver.run(webhooks.webhooks(self._driver.link, limit=limit))
