"""Merkle trees of RFC 6962 with SHA-256, as RFC 9162 §2.1 describes their verification. Nothing here knows bundles."""

import hashlib
from collections.abc import Sequence


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf (RFC 6962 §2.1)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node (RFC 6962 §2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def proves_inclusion(leaf: bytes, leaf_index: int, tree_size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether `path` leads from the leaf's hash at `leaf_index` to the root of the tree (RFC 9162 §2.1.3.2)."""
    if not 0 <= leaf_index < tree_size:
        return False
    place, last, computed = leaf_index, tree_size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if place % 2 or place == last:
            computed = node_hash(step, computed)
            while place and not place % 2:
                place, last = place >> 1, last >> 1
        else:
            computed = node_hash(computed, step)
        place, last = place >> 1, last >> 1
    return last == 0 and computed == root


def proves_consistency(from_size: int, to_size: int, path: Sequence[bytes], from_root: bytes, to_root: bytes) -> bool:
    """Whether the larger tree begins with the leaves of the smaller one (RFC 9162 §2.1.4.2)."""
    if not 0 <= from_size <= to_size:
        return False
    if from_size in {0, to_size}:
        return not path and (from_size == 0 or from_root == to_root)
    steps = [from_root, *path] if from_size & (from_size - 1) == 0 else list(path)
    if not path:
        return False
    place, last = from_size - 1, to_size - 1
    while place % 2:
        place, last = place >> 1, last >> 1
    smaller = larger = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if place % 2 or place == last:
            smaller, larger = node_hash(step, smaller), node_hash(step, larger)
            while place and not place % 2:
                place, last = place >> 1, last >> 1
        else:
            larger = node_hash(larger, step)
        place, last = place >> 1, last >> 1
    return last == 0 and smaller == from_root and larger == to_root


class GrowingTree:
    """A tree that takes its leaves one by one and knows its root at each size; it keeps one hash for each level."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def append(self, data: bytes) -> None:
        """Add a leaf."""
        computed, self.size = leaf_hash(data), self.size + 1
        full = self.size
        while full % 2 == 0:
            computed, full = node_hash(self._peaks.pop(), computed), full >> 1
        self._peaks.append(computed)

    def root(self) -> bytes:
        """Return the root over all leaves so far; the hash of nothing for an empty tree."""
        if not self._peaks:
            return hashlib.sha256(b"").digest()
        computed = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            computed = node_hash(peak, computed)
        return computed
