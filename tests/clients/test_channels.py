"""Channels and contacts through the client against the real gateway."""

import pytest

from standfast_client import ConflictError, InvalidInputError, NotFoundError
from tests.api.gateway import REVIEWER_ROLE
from tests.clients.live_gateway import LiveGateway


class TestChannels:
    def test_are_added_changed_tried_and_removed(self, live: LiveGateway) -> None:
        with live.client() as client:
            made = client.channels.create("mails", "email", events=["approval.opened"], role=REVIEWER_ROLE)
            assert [one.name for one in client.channels.list().items] == ["mails"]
            changed = client.channels.change(made.channel, name="mails", kind="email", events=["task.*"], role=REVIEWER_ROLE, enabled=False)
            assert client.channels.get(made.channel) == changed
            assert (changed.events, changed.enabled) == (("task.*",), False)
            reviewer = live.house.principals["approver"].id
            sent = client.channels.test(made.channel, reviewer=reviewer)
            assert [one.delivery for one in client.channels.deliveries(made.channel, reviewer=reviewer)] == [sent.delivery]
            client.channels.remove(made.channel)
            with pytest.raises(NotFoundError):
                client.channels.get(made.channel)

    def test_that_cannot_be_are_refused(self, live: LiveGateway) -> None:
        with live.client() as client:
            with pytest.raises(InvalidInputError):
                client.channels.create("mails", "pigeon", events=["approval.*"], role=REVIEWER_ROLE)
            client.channels.create("mails", "email", events=["approval.*"], role=REVIEWER_ROLE)
            with pytest.raises(ConflictError):
                client.channels.create("mails", "email", events=["approval.*"], role=REVIEWER_ROLE)

    async def test_know_where_reviewers_are_reached(self, live: LiveGateway) -> None:
        mine = live.house.principals["approver"].id
        async with live.async_client("approver") as client:
            made = await client.channels.set_contact(mine, "email", "ada@example.org")
            assert await client.channels.contacts() == [made]
            await client.channels.remove_contact(mine, "email")
            assert await client.channels.contacts() == []

    def test_give_links_a_new_key(self, live: LiveGateway) -> None:
        with live.client() as client:
            assert client.channels.rotate_links().generation == 2
            assert client.channels.rotate_links(revoke=True).oldest == 3
