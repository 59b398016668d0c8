"""The ports of dead letters, as the gateway holds them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.dead_letters import BulkRedriveStore, DeadLetterKind, DeadLetterStore, Redriver


@dataclass(frozen=True, kw_only=True)
class DeadLetterDeps:
    """The list, redrives of many, and who redrives what; runs and their effects have their redriver built in."""

    letters: DeadLetterStore
    bulk: BulkRedriveStore
    redrivers: Mapping[DeadLetterKind, Redriver] = field(default_factory=dict[DeadLetterKind, Redriver])
