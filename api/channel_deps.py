"""What channels to reviewers and the pages of signed links need beside the stores."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from domain.channels import ChannelStore
from domain.review_links import LinkKeys


@dataclass(frozen=True, kw_only=True)
class ChannelDeps:
    """The ports; `form_key` is 32 secret bytes, `kinds` what is installed, `activate` begins to relay a tenant's ledgers."""

    store: ChannelStore
    link_keys: LinkKeys
    form_key: bytes
    kinds: tuple[str, ...]
    activate: Callable[[str], Awaitable[None]]
