"""Merkle trees as RFC 6962 §2.1 defines them: recursive, over lists of leaves. Slow and plain, to check others with."""

import hashlib
from collections.abc import Sequence


def _split(size: int) -> int:
    """Return the largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """Return MTH(D[n])."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    middle = _split(len(leaves))
    return hashlib.sha256(b"\1" + tree_root(leaves[:middle]) + tree_root(leaves[middle:])).digest()


def audit_path(place: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return PATH(m, D[n])."""
    if len(leaves) == 1:
        return []
    middle = _split(len(leaves))
    if place < middle:
        return [*audit_path(place, leaves[:middle]), tree_root(leaves[middle:])]
    return [*audit_path(place - middle, leaves[middle:]), tree_root(leaves[:middle])]


def consistency_proof(size: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return PROOF(m, D[n]) for 0 < m ≤ n."""
    return _subproof(size, leaves, whole=True)


def _subproof(size: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    if size == len(leaves):
        return [] if whole else [tree_root(leaves)]
    middle = _split(len(leaves))
    if size <= middle:
        return [*_subproof(size, leaves[:middle], whole=whole), tree_root(leaves[middle:])]
    return [*_subproof(size - middle, leaves[middle:], whole=False), tree_root(leaves[:middle])]
