"""What channels to reviewers and the pages of signed links need beside the stores."""

from dataclasses import dataclass

from domain.channels import ChannelStore
from domain.review_links import LinkKeys


@dataclass(frozen=True, kw_only=True)
class ChannelDeps:
    """The ports; `form_key` is 32 secret bytes."""

    store: ChannelStore
    link_keys: LinkKeys
    form_key: bytes
