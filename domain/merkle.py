"""The Merkle tree of RFC 6962 §2.1 over leaf hashes: growing it, and which nodes prove what. Pure.

A node is named by (level, place): the complete subtree over leaves `place · 2^level` up to `(place + 1) · 2^level`. Complete subtrees
never change, so whoever keeps them proves everything with O(log n) reads. Subtrees that are not complete are folded from at most
log2(n) complete ones.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of a tree without leaves (RFC 6962 §2.1)."""


class NodeId(NamedTuple):
    """Names a complete subtree; level 0 are leaves."""

    level: int
    place: int


class Node(NamedTuple):
    """A complete subtree and its hash."""

    id: NodeId
    hash: bytes


class Range(NamedTuple):
    """Leaves `start` up to, not including, `end` that form one subtree of RFC 6962's recursion."""

    start: int
    end: int


Lookup = Callable[[NodeId], bytes]
"""Returns the hash of a complete subtree."""


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf: SHA-256(0x00 ‖ data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier(NamedTuple):
    """A tree reduced to what it takes to grow it: its size, and the hashes of its maximal complete subtrees, the leftmost first."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def root(self) -> bytes:
        """Return the root of the whole tree."""
        return folded(self.peaks)

    def extended(self, leaves: Iterable[bytes]) -> tuple["Frontier", list[Node]]:
        """Append leaf hashes, each in O(log n).

        Returns:
            The grown tree, and every inner node that became complete, in the order in which it did.
        """
        size, peaks, made = self.size, list(self.peaks), list[Node]()
        for leaf in leaves:
            level, top = 0, leaf
            while size >> level & 1:
                top = node_hash(peaks.pop(), top)
                level += 1
                made.append(Node(NodeId(level, size >> level), top))
            peaks.append(top)
            size += 1
        return Frontier(size, tuple(peaks)), made


def folded(hashes: Sequence[bytes]) -> bytes:
    """Return the root over complete subtrees of falling size, the leftmost first."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


def cover(part: Range) -> list[NodeId]:
    """Return the maximal complete subtrees of a subtree, the leftmost first: at most log2 of its size."""
    found: list[NodeId] = []
    start = part.start
    while start < part.end:
        level = (part.end - start).bit_length() - 1
        found.append(NodeId(level, start >> level))
        start += 1 << level
    return found


def frontier_ids(size: int) -> list[NodeId]:
    """Return the nodes whose hashes are `Frontier.peaks` of a tree of that size."""
    return cover(Range(0, size))


def split(size: int) -> int:
    """Return the largest power of two smaller than `size`, which is at least 2: where RFC 6962 cuts a tree."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Return the subtrees whose roots are the audit path of a leaf: PATH(index, D[size]) of RFC 6962 §2.1.1.

    Raises:
        ValueError: the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    path: list[Range] = []
    part = Range(0, size)
    while part.end - part.start > 1:
        middle = part.start + split(part.end - part.start)
        left, right = Range(part.start, middle), Range(middle, part.end)
        part, sibling = (left, right) if index < middle else (right, left)
        path.append(sibling)
    return path[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """Return the subtrees whose roots prove that a tree grew: PROOF(old, D[new]) of RFC 6962 §2.1.2.

    Raises:
        ValueError: not 0 < old <= new; from nothing, anything grows.
    """
    if not 0 < old <= new:
        raise ValueError(f"a consistency proof needs 0 < from <= to, not {old} and {new}")
    path: list[Range] = []
    part, whole = Range(0, new), True
    while part.end != old:
        middle = part.start + split(part.end - part.start)
        left, right = Range(part.start, middle), Range(middle, part.end)
        if old <= middle:
            path.append(right)
            part = left
        else:
            path.append(left)
            part, whole = right, False
    return path[::-1] if whole else [part, *path[::-1]]


def needed(ranges: Iterable[Range]) -> set[NodeId]:
    """Return the complete subtrees that it takes to compute the roots of these."""
    return {node for part in ranges for node in cover(part)}


def hashes_of(ranges: Iterable[Range], lookup: Lookup) -> list[bytes]:
    """Return the roots of subtrees, in order: a proof."""
    return [folded([lookup(node) for node in cover(part)]) for part in ranges]


def root_by_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that an audit path leads to, or None when it cannot belong to that leaf (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size:
        return None
    place, last, root = index, size - 1, leaf
    for step in path:
        if last == 0:
            return None
        if place & 1 or place == last:
            root = node_hash(step, root)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            root = node_hash(root, step)
        place, last = place >> 1, last >> 1
    return root if last == 0 else None


def is_consistent(old: tuple[int, bytes], new: tuple[int, bytes], path: Sequence[bytes]) -> bool:
    """Whether a path proves that the tree `new` (size, root) starts with the tree `old` (RFC 9162 §2.1.4.2)."""
    (old_size, old_root), (new_size, new_root) = old, new
    if not 0 < old_size <= new_size:
        return False
    if old_size == new_size:
        return not path and old_root == new_root
    steps = [old_root, *path] if old_size & (old_size - 1) == 0 else list(path)
    if not steps:
        return False
    place, last = old_size - 1, new_size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    first = second = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            second = node_hash(second, step)
        place, last = place >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root
