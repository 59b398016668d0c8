"""The ports of sealing: the log that a sealer grows, the proofs that are read from it, and the anchors its heads go to. Pure.

A sealer works for one tenant at a time under a lease whose epoch fences every one of its transactions (JOURNAL §4).
"""

from typing import Protocol

from domain.model import Value
from domain.stores import Page
from domain.tree_heads import PublicKey, SignedTreeHead

BATCH_LEAVES_MAX = 1000
"""Most entries between two heads (DESIGN §6)."""


class Refused(Value):
    """A run whose next entry does not continue what was sealed of it; nothing of it is sealed from there on."""

    run: str
    seq: int
    reason: str


class Sealed(Value):
    """What one sealing transaction did. `more` says that entries were left for the next one."""

    leaves: int
    head: SignedTreeHead | None
    more: bool
    refused: tuple[Refused, ...] = ()


class SealStore(Protocol):
    """Grows the Merkle log of each tenant."""

    async def waiting(self, tenant: str) -> bool:
        """Whether entries wait for their seal; also forgets runs that are sealed to their head and quiet."""
        ...

    async def claim(self, tenant: str, *, holder: str, lease_s: float) -> int | None:
        """Take or keep the tenant's lease; return its epoch, or None while another holder's lease lives."""
        ...

    async def seal(self, tenant: str, *, epoch: int, lease_s: float, without: frozenset[str] = frozenset()) -> Sealed | None:
        """Seal at most BATCH_LEAVES_MAX entries in one transaction: leaves, nodes and signed head, or nothing.

        Args:
            tenant: The tenant.
            epoch: Epoch of the lease; None is returned, and nothing written, when another epoch has begun.
            lease_s: The transaction renews the lease for that long.
            without: Runs that were refused before.

        Raises:
            LogBroken: the stored log does not fit its last signed head, or this installation lacks the key.
        """
        ...

    async def release(self, tenant: str, *, epoch: int) -> None:
        """Give the lease back, if it is still that epoch's."""
        ...

    async def rotate_key(self, tenant: str) -> PublicKey:
        """End the current key's time and begin the next one's; return the new key."""
        ...


class Anchorage(Protocol):
    """Remembers which heads went to which anchors."""

    async def due(self, tenant: str, anchor: str, *, every_s: float) -> SignedTreeHead | None:
        """Return the newest head if this anchor lacks it, the last delivery is that old, and no retry is to be waited for."""
        ...

    async def delivered(self, tenant: str, anchor: str, tree_size: int) -> None:
        """Remember a delivery."""
        ...

    async def failed(self, tenant: str, anchor: str, tree_size: int, *, error: str) -> None:
        """Remember a failed attempt; the next one comes after a pause that doubles up to ten minutes."""
        ...


class Anchor(Protocol):
    """A place outside of this installation's database that keeps heads."""

    @property
    def name(self) -> str:
        """Its name, the same for as long as it is the same place."""
        ...

    async def keep(self, head: SignedTreeHead) -> None:
        """Keep a head; the same one may come again. Raises: Unavailable, it could not now."""
        ...

    async def aclose(self) -> None:
        """Give up its connections."""
        ...


class Inclusion(Value):
    """Proves that an entry is a leaf of the tree of `tree_size` leaves; `path` is the audit path, from the leaf upwards."""

    run: str
    seq: int
    leaf_index: int
    tree_size: int
    path: tuple[bytes, ...]


class TreeReader(Protocol):
    """Reads heads, keys and proofs. Sizes beyond the newest head are NotFound, as are those of another tenant's log."""

    async def newest(self, tenant: str) -> SignedTreeHead | None:
        """Return the newest head, None before the first."""
        ...

    async def head(self, tenant: str, tree_size: int) -> SignedTreeHead:
        """Raises: NotFound, no head of exactly that size was signed."""
        ...

    async def heads(self, tenant: str, *, limit: int, cursor: str | None) -> Page[SignedTreeHead]:
        """Return one page, newest first. Raises: BadRequest for a cursor that is none."""
        ...

    async def milestones(self, tenant: str) -> list[SignedTreeHead]:
        """Return the last head under each key, the smallest first; the newest head is the last."""
        ...

    async def keys(self, tenant: str) -> list[PublicKey]:
        """Return all public keys, the oldest first."""
        ...

    async def leaf_indexes(self, tenant: str, run: str, *, after: int = 0, limit: int = 1000) -> dict[int, int]:
        """Return sequence → leaf index of a run's sealed entries with sequence > `after`, in order."""
        ...

    async def inclusions(self, tenant: str, run: str, *, tree_size: int, after: int = 0, limit: int = 1000) -> list[Inclusion]:
        """Return proofs for a run's entries with sequence > `after` that are leaves of that tree, in order. Raises: NotFound."""
        ...

    async def consistency(self, tenant: str, old: int, new: int) -> tuple[bytes, ...]:
        """Return the proof that the tree of `new` leaves begins with that of `old`. Raises: InvalidInput, NotFound."""
        ...
