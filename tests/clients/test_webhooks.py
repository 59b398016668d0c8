"""Outgoing webhooks through the client against the real gateway."""

import pytest

from standfast_client import InvalidInputError, NotFoundError
from tests.clients.live_gateway import LiveGateway

URL = "https://hooks.example/in"


class TestWebhooks:
    def test_are_made_changed_rotated_and_taken_away(self, live: LiveGateway) -> None:
        with live.client() as client:
            made = client.webhooks.create(URL, ["run.*"], description="ours")
            assert made.secret is not None
            changed = client.webhooks.change(made.webhook, events=["approval.opened"], enabled=False)
            assert (changed.url, changed.events, changed.description, changed.enabled) == (URL, ["approval.opened"], "ours", False)
            rotated = client.webhooks.rotate(made.webhook, overlap_s=60)
            assert rotated.secret not in (None, made.secret)
            assert [one.webhook for one in client.webhooks.list()] == [made.webhook]
            assert client.webhooks.get(made.webhook).secret is None
            assert client.webhooks.remove(made.webhook).removed
            with pytest.raises(NotFoundError):
                client.webhooks.get(made.webhook)

    def test_that_cannot_be_used_are_refused(self, live: LiveGateway) -> None:
        with live.client() as client, pytest.raises(InvalidInputError, match="https://"):
            client.webhooks.create("http://hooks.example/in", ["run.*"])

    async def test_are_tested_and_their_deliveries_shown(self, live: LiveGateway) -> None:
        async with live.async_client() as client:
            made = await client.webhooks.create(URL, ["*"], ordered=True)
            sent = await client.webhooks.test(made.webhook)
            [listed] = await client.webhooks.deliveries(made.webhook, state="pending")
            assert (listed.delivery, listed.event, listed.log) == (sent.delivery, sent.event, [])
            shown = await client.webhooks.delivery(made.webhook, sent.delivery)
            assert shown.body["type"] == "webhook.test"
            assert (await client.webhooks.redeliver(made.webhook, sent.delivery)).round == 2

    def test_replay_all_portions(self, live: LiveGateway) -> None:
        runs = [live.house.start() for _ in range(3)]
        with live.client() as client:
            made = client.webhooks.create(URL, ["run.accepted"])
            assert client.webhooks.replay(made.webhook, from_position=1).queued == 2
            assert client.webhooks.replay(made.webhook, run=runs[0]).queued == 1
            assert len(client.webhooks.deliveries(made.webhook)) == 3
