"""What the gateway answers about channels to reviewers."""

from standfast_client.models import Received


class Channel(Received):
    """A channel: it tells reviewers with `role`, or the one `principal`, of `events`; `has_target` says that a room hears of them too."""

    channel: str
    name: str
    kind: str
    role: str | None = None
    principal: str | None = None
    has_target: bool = False
    events: tuple[str, ...]
    enabled: bool = True
    created_by: str
    created_at: str


class Channels(Received):
    """The channels by name, and the kinds that are installed."""

    items: list[Channel]
    kinds: tuple[str, ...] = ()


class ChannelTest(Received):
    """The delivery of a test message."""

    channel: str
    delivery: str


class Contact(Received):
    """Where a reviewer is reached by channels of one kind; `set_by` said so at `set_at`."""

    principal: str
    kind: str
    address: str
    set_by: str = ""
    set_at: str = ""


class LinkKeys(Received):
    """Signed links carry `generation`; those of generations before `oldest` are dead."""

    generation: int
    oldest: int
