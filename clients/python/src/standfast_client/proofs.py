"""What the gateway says about a tenant's signed log. Shapes only: `standfast-verify` checks them, with no code in common."""

from standfast_client.models import Received


class TreeHead(Received):
    """A signed tree head: at `timestamp_us` the log had `tree_size` leaves and this root. Hex, and base64 for the signature."""

    tenant: str
    tree_size: int
    root_hash: str
    timestamp_us: int
    key_id: str
    signature: str


class PublicKey(Received):
    """A key that signs, or signed, heads; `valid_to_us` is None while it is in use."""

    key_id: str
    algorithm: str
    public_key: str
    valid_from_us: int
    valid_to_us: int | None = None


class PublicKeys(Received):
    """All keys of the log, the oldest first."""

    public_keys: list[PublicKey]


class Inclusion(Received):
    """The audit path of an entry in the tree of `tree_size` leaves, from the leaf upwards, in hex."""

    run: str
    seq: int
    leaf_index: int
    tree_size: int
    path: list[str]


class ProofPart(Received):
    """A part of a run's proofs; `head` is None before the first head, `next_after` at the end."""

    run: str
    head: TreeHead | None = None
    inclusion: list[Inclusion]
    next_after: int | None = None


class Consistency(Received):
    """Proves that the tree of `to_size` leaves begins with that of `from_size`."""

    from_size: int
    to_size: int
    path: list[str]
