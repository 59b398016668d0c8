"""Channels to reviewers, asynchronous."""

from collections.abc import Sequence

from standfast_client.channels import Channel, Channels, ChannelTest, Contact, LinkKeys
from standfast_client.drivers import AsyncDriver
from standfast_client.flows import channels
from standfast_client.webhooks import Delivery


class AsyncChannelBook:
    """Channels that tell reviewers, and where reviewers are reached; channels are an administrator's."""

    def __init__(self, driver: AsyncDriver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    async def list(self) -> Channels:
        """Read the channels by name, and the kinds that are installed."""
        return await self._driver.run(channels.channels(self._driver.link))

    async def get(self, channel: str) -> Channel:
        """Read one channel."""
        return await self._driver.run(channels.channel(self._driver.link, channel))

    async def create(
        self,
        name: str,
        kind: str,
        *,
        events: Sequence[str],
        role: str | None = None,
        principal: str | None = None,
        target: str | None = None,
        idempotency_key: str | None = None,
    ) -> Channel:
        """Add a channel.

        Args:
            name: A name that no other channel has.
            kind: Such as `email` or `slack`; `list().kinds` says which are installed.
            events: Types such as `approval.opened`, or `approval.*`.
            role: Reach reviewers with this role, each at their own contact, with their own signed link.
            principal: Reach this one reviewer instead.
            target: Also write to this place, which several people read; no signed link goes there. It is never shown again.
            idempotency_key: A random key when None.

        Raises:
            InvalidInputError: It reaches nobody, or names a kind, event or address that is none.
            ConflictError: The name is taken.
        """
        settings = {"name": name, "kind": kind, "events": [*events], "role": role, "principal": principal, "target": target}
        return await self._driver.run(channels.create(self._driver.link, settings, idempotency_key=idempotency_key))

    async def change(
        self,
        channel: str,
        *,
        name: str,
        kind: str,
        events: Sequence[str],
        role: str | None = None,
        principal: str | None = None,
        target: str | None = None,
        enabled: bool = True,
        idempotency_key: str | None = None,
    ) -> Channel:
        """Replace a channel's settings; without `target` the stored one stays.

        Raises:
            InvalidInputError, ConflictError: As for a new one.
        """
        reached = {"role": role, "principal": principal, "target": target}
        settings = {"name": name, "kind": kind, "events": [*events], "enabled": enabled, **reached}
        return await self._driver.run(channels.change(self._driver.link, channel, settings, idempotency_key=idempotency_key))

    async def remove(self, channel: str, *, idempotency_key: str | None = None) -> None:
        """Remove a channel; what was not sent by then is not sent any more."""
        await self._driver.run(channels.remove(self._driver.link, channel, idempotency_key=idempotency_key))

    async def test(self, channel: str, *, reviewer: str | None = None, idempotency_key: str | None = None) -> ChannelTest:
        """Send a test message to one reviewer, or (None) to the channel's target."""
        return await self._driver.run(channels.test(self._driver.link, channel, reviewer=reviewer, idempotency_key=idempotency_key))

    async def deliveries(self, channel: str, *, reviewer: str | None = None, limit: int = 50) -> "list[Delivery]":
        """Read what went to one reviewer, or (None) to the channel's target, newest first, up to `limit`."""
        return await self._driver.run(channels.deliveries(self._driver.link, channel, reviewer=reviewer, limit=limit))

    async def contacts(self, *, principal: str | None = None) -> "list[Contact]":
        """Read where reviewers are reached; who is no administrator reads their own."""
        return await self._driver.run(channels.contacts(self._driver.link, principal=principal))

    async def set_contact(self, principal: str, kind: str, address: str, *, idempotency_key: str | None = None) -> Contact:
        """Say where a reviewer is reached by channels of a kind: your own, or, as an administrator, anybody's."""
        return await self._driver.run(channels.set_contact(self._driver.link, principal, kind, address, idempotency_key=idempotency_key))

    async def remove_contact(self, principal: str, kind: str, *, idempotency_key: str | None = None) -> None:
        """Forget where a reviewer is reached."""
        await self._driver.run(channels.remove_contact(self._driver.link, principal, kind, idempotency_key=idempotency_key))

    async def rotate_links(self, *, revoke: bool = False, idempotency_key: str | None = None) -> LinkKeys:
        """Begin the next key for signed links; `revoke` ends every link that was sent before."""
        return await self._driver.run(channels.rotate_links(self._driver.link, revoke=revoke, idempotency_key=idempotency_key))
