"""JSON shapes of heads, keys, proofs and evidence: hashes in hex, signatures and keys in base64, as bundles and verifiers use them."""

from typing import Annotated, Literal

from fastapi import Depends, Path, Query
from pydantic import Field

from api.queries import LEDGER_PAGE_MAX, Cursor, Limit
from domain.errors import BadRequest
from domain.model import Value
from domain.sealing import Inclusion
from domain.tree_heads import PublicKey, SignedTreeHead

SINCE_MAX = 20
"""Most remembered heads that one bundle is joined with."""

TreeSize = Annotated[int, Field(ge=1, le=2**53 - 1)]


class TreeHeadView(Value):
    """A signed tree head. The signature (Ed25519) is over `standfast:tree-head:v1`, a zero byte, and the JCS of the other members."""

    tenant: str
    tree_size: int
    root_hash: str
    timestamp_us: int
    key_id: str
    signature: str


class TreeHeadPage(Value):
    """A page of heads, newest first."""

    items: tuple[TreeHeadView, ...]
    next_cursor: str | None


class PublicKeyView(Value):
    """A key that signs, or signed, heads; `valid_to_us` is null while it is in use."""

    key_id: str
    algorithm: Literal["Ed25519"]
    public_key: str
    valid_from_us: int
    valid_to_us: int | None


class PublicKeysView(Value):
    """All keys of the tenant's log, the oldest first. Keep them apart from the ledger: a verifier's trust begins here."""

    public_keys: tuple[PublicKeyView, ...]


class InclusionView(Value):
    """The audit path of an entry in the tree of `tree_size` leaves (RFC 6962 §2.1.1), from the leaf upwards."""

    run: str
    seq: int
    leaf_index: int
    tree_size: int
    path: tuple[str, ...]


class ProofView(Value):
    """Proofs for a run's sealed entries under one signed head; `head` is null before the first; `next_after` is null at the end."""

    run: str
    head: TreeHeadView | None
    inclusion: tuple[InclusionView, ...]
    next_after: int | None


class ConsistencyView(Value):
    """Proves that the tree of `to_size` leaves begins with that of `from_size` (RFC 6962 §2.1.2)."""

    from_size: int
    to_size: int
    path: tuple[str, ...]


class EvidenceEntryView(Value):
    """A ledger entry of a bundle; `body` is the stored bytes in base64, `leaf_index` null until it is under the newest head."""

    run: str
    seq: int
    recorded_at_us: int
    prev_hash: str
    hash: str
    body: str
    leaf_index: int | None


class EvidenceView(Value):
    """An evidence bundle: everything that `standfast-verify` needs, offline. `run` is null for a tenant's whole ledger.

    A whole ledger needs no proofs of inclusion: all leaves are there, and the roots are recomputed from them.
    """

    format: Literal["standfast-evidence"]
    v: Literal[1]
    tenant: str
    run: str | None
    exported_at: str
    entries: tuple[EvidenceEntryView, ...]
    tree_heads: tuple[TreeHeadView, ...]
    public_keys: tuple[PublicKeyView, ...]
    inclusion: tuple[InclusionView, ...]
    consistency: tuple[ConsistencyView, ...]


class HeadListQuery(Value):
    """A page of heads."""

    limit: Limit = 50
    cursor: Cursor | None = None


class ProofQuery(Value):
    """Entries with a sequence greater than `after`, under the head of `size` leaves, the newest by default."""

    after: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=LEDGER_PAGE_MAX)] = LEDGER_PAGE_MAX
    size: TreeSize | None = None


class ConsistencyQuery(Value):
    """Two tree sizes."""

    from_size: Annotated[TreeSize, Field(alias="from")]
    to_size: Annotated[TreeSize, Field(alias="to")]


class BundleQuery(Value):
    """`since` names sizes of heads you remember; the bundle proves that the log grew out of them. May be given several times."""

    since: Annotated[list[TreeSize], Field(max_length=SINCE_MAX)] = []


def _size_in_path(tree_size: Annotated[str, Path(description="number of leaves")]) -> int:
    if not (tree_size.isascii() and tree_size.isdecimal() and len(tree_size) < 17):
        raise BadRequest(f"a tree size is a number of leaves, not {tree_size[:40]!r}")
    return int(tree_size)


TreeSizeInPath = Annotated[int, Depends(_size_in_path)]
HeadList = Annotated[HeadListQuery, Query()]
ProofPart = Annotated[ProofQuery, Query()]
Sizes = Annotated[ConsistencyQuery, Query()]
Since = Annotated[BundleQuery, Query()]


def head_view(head: SignedTreeHead) -> TreeHeadView:
    """Show a head."""
    return TreeHeadView.model_validate(head.document())


def key_view(key: PublicKey) -> PublicKeyView:
    """Show a key."""
    return PublicKeyView.model_validate(key.document())


def inclusion_view(proof: Inclusion) -> InclusionView:
    """Show a proof."""
    return InclusionView(
        run=proof.run, seq=proof.seq, leaf_index=proof.leaf_index, tree_size=proof.tree_size, path=tuple(step.hex() for step in proof.path)
    )
