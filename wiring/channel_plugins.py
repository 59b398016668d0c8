"""Channels to reviewers by entry point: built-ins and plugins enter by the same door.

An entry point of the group `standfast.channels` is named after the channel's kind and names a factory; the factory takes a `ChannelContext`
and returns its channel, or none where its settings are missing.
"""

from collections.abc import Iterable
from functools import partial
from importlib.metadata import EntryPoint
from typing import cast

from domain.channels import GROUP, ChannelContext, ChannelFactory
from domain.deliveries import WEBHOOK, Channel
from domain.errors import InvalidInput
from wiring.entry_points import installed, load_plugins


def channel_kinds(*, found: Iterable[EntryPoint] | None = None) -> tuple[str, ...]:
    """Return the kinds that are installed, without loading any: what the gateway offers. A worker without a kind's settings has it not."""
    return tuple(dict.fromkeys(point.name for point in installed(GROUP, found)))


def load_entry_points(context: ChannelContext, *, found: Iterable[EntryPoint] | None = None) -> list[Channel]:
    """Return the channels of every installed factory, in the order of their kinds. `found` replaces the installed entry points.

    Raises:
        InvalidInput: an entry point cannot be loaded, is no factory, makes something that is no channel, or one of another kind.
    """
    channels: list[Channel] = []
    for point, label, channel in load_plugins(installed(GROUP, found), what="channel", made=partial(_made, context), error=InvalidInput):
        if not callable(getattr(channel, "send", None)) or not callable(getattr(channel, "aclose", None)):
            raise InvalidInput(f"{label} returned {type(channel).__name__}, which is no channel: a channel has `kind`, `send` and `aclose`")
        if channel.kind != point.name:
            raise InvalidInput(f"{label} returned a channel of the kind {channel.kind!r}: name the entry point after its kind")
        if channel.kind in {WEBHOOK, *(each.kind for each in channels)}:
            raise InvalidInput(f"two channels have the kind {channel.kind}: remove one of the plugins")
        channels.append(channel)
    return channels


def _made(context: ChannelContext, _point: EntryPoint, label: str, factory: object) -> Iterable[Channel]:
    """Call a factory.

    Raises:
        InvalidInput: it is none.
    """
    if not callable(factory):
        raise InvalidInput(f"{label} is no factory: it must take a ChannelContext and return channels")
    build: ChannelFactory = cast("ChannelFactory", factory)
    return build(context)
