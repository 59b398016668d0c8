"""The entries as leaves of the tenant's signed log: each has a place of its own, in the order of its run, and a proof of it."""

from collections.abc import Iterator, Mapping, Sequence

from standfast_verify.bundle import Bundle, Entry, Inclusion, TreeHead
from standfast_verify.findings import Problem
from standfast_verify.merkle import GrowingTree, leaf_hash, proves_inclusion

SEAL_LAG_US = 600_000_000
"""An entry that was recorded so long before the newest head was signed must be sealed: ten times the minute the sealer may take."""


def place_problems(runs: Mapping[str, Sequence[Entry]], heads: Mapping[int, TreeHead]) -> Iterator[Problem]:
    """Yield entries whose place in the log cannot be: taken twice, against the run's order, beyond every head, or too late without one."""
    taken: dict[int, Entry] = {}
    newest = max(heads, default=0)
    signed_at_us = heads[newest].timestamp_us if heads else 0
    for entries in runs.values():
        before: Entry | None = None
        for entry in sorted(entries, key=lambda one: one.seq):
            reason = _order_reason(entry, before) or _late_reason(entry, signed_at_us)
            if reason is None and entry.leaf_index is not None:
                other = taken.setdefault(entry.leaf_index, entry)
                if other is not entry:
                    reason = f"its leaf {entry.leaf_index} is that of entry {other.seq} of {other.run} too"
                elif entry.leaf_index >= newest:
                    reason = f"its leaf {entry.leaf_index} lies beyond the newest tree head, which has {newest} leaves"
            if reason is not None:
                yield Problem(run=entry.run, seq=entry.seq, reason=reason)
            before = entry


def _order_reason(entry: Entry, before: Entry | None) -> str | None:
    if before is None or entry.leaf_index is None:
        return None
    if before.leaf_index is None:
        return f"it is sealed, and entry {before.seq} before it is not"
    return None if before.leaf_index < entry.leaf_index else f"its leaf {entry.leaf_index} stands before that of entry {before.seq}"


def _late_reason(entry: Entry, signed_at_us: int) -> str | None:
    if entry.leaf_index is not None or entry.recorded_at_us + SEAL_LAG_US >= signed_at_us:
        return None
    return f"it is not sealed, though the newest head was signed {(signed_at_us - entry.recorded_at_us) // 1_000_000} s after it"


def inclusion_problems(proofs: Sequence[Inclusion], entries: Sequence[Entry], heads: Mapping[int, TreeHead]) -> Iterator[Problem]:
    """Yield proofs of inclusion that prove nothing."""
    known = {(entry.run, entry.seq): entry for entry in entries}
    for proof in proofs:
        reason = _inclusion_reason(proof, known.get((proof.run, proof.seq)), heads.get(proof.tree_size))
        if reason is not None:
            yield Problem(run=proof.run, seq=proof.seq, reason=reason)


def _inclusion_reason(proof: Inclusion, entry: Entry | None, head: TreeHead | None) -> str | None:
    if entry is None:
        return "the bundle has a proof of inclusion for it, and not the entry"
    if entry.leaf_index != proof.leaf_index:
        return f"its leaf is {entry.leaf_index}, and its proof of inclusion is for leaf {proof.leaf_index}"
    if head is None:
        return f"its proof of inclusion is for a tree of {proof.tree_size} leaves, and no tree head has that size"
    if not proves_inclusion(leaf_hash(entry.hash), proof.leaf_index, proof.tree_size, proof.path, head.root):
        return f"its hash is not leaf {proof.leaf_index} of the signed tree of {proof.tree_size} leaves: entry, proof or root was changed"
    return None


def unproven(bundle: Bundle) -> list[Entry]:
    """Return the sealed entries without a proof of inclusion."""
    proven = {(proof.run, proof.seq) for proof in bundle.inclusion}
    return [entry for entry in bundle.entries if entry.leaf_index is not None and (entry.run, entry.seq) not in proven]


def missing_leaf_problems(entries: Sequence[Entry], tree_size: int) -> Iterator[Problem]:
    """Yield the leaves of the newest tree that a bundle with a tenant's whole ledger does not have."""
    there = {entry.leaf_index: entry for entry in entries if entry.leaf_index is not None}
    first: int | None = None
    for place in range(tree_size + 1):
        if place < tree_size and place not in there:
            first = place if first is None else first
        elif first is not None:
            yield _cut(first, place - 1, there.get(first - 1), tree_size)
            first = None


def _cut(first: int, last: int, before: Entry | None, tree_size: int) -> Problem:
    named = f"leaf {first}" if first == last else f"leaves {first} to {last}"
    reason = f"the bundle holds the tenant's whole ledger and lacks {named} of its tree: entries were cut off or taken out"
    where = "" if before is None else f"they follow entry {before.seq} of {before.run}"
    return Problem(tree_size=tree_size, leaf_index=first, reason=reason, expected=f"{tree_size} leaves", found=where)


def roots_of(entries: Sequence[Entry], sizes: set[int]) -> dict[int, bytes] | None:
    """Return the roots over the first n leaves for each wanted size, recomputed from all entries; None unless all leaves are there."""
    leaves = {entry.leaf_index: entry.hash for entry in entries if entry.leaf_index is not None}
    newest = max(sizes, default=0)
    if any(place not in leaves for place in range(newest)):
        return None
    tree = GrowingTree()
    roots = {0: tree.root()}
    for place in range(newest):
        tree.append(leaves[place])
        if tree.size in sizes:
            roots[tree.size] = tree.root()
    return roots
