"""The tree heads of a bundle against each other and against remembered ones: one log that only ever grew."""

from collections.abc import Iterator, Mapping, Sequence

from standfast_verify.bundle import Consistency, TreeHead
from standfast_verify.findings import Problem
from standfast_verify.merkle import proves_consistency


def by_size(heads: Sequence[TreeHead]) -> dict[int, TreeHead]:
    """Return the heads by their tree's size; of several with one size the one signed last."""
    return {head.tree_size: head for head in sorted(heads, key=lambda one: one.timestamp_us)}


def fork_problems(heads: Sequence[TreeHead]) -> Iterator[Problem]:
    """Yield heads of one size with different roots: two histories were signed."""
    last = by_size(heads)
    for head in heads:
        if head.root != last[head.tree_size].root:
            reason = "two heads of this size have different roots: the log was forked"
            yield Problem(tree_size=head.tree_size, reason=reason, expected=last[head.tree_size].root.hex(), found=head.root.hex())


def recomputed_problems(heads: Sequence[TreeHead], roots: Mapping[int, bytes], *, whose: str) -> Iterator[Problem]:
    """Yield heads whose root is not the one over the bundle's own entries."""
    for head in heads:
        if head.tree_size in roots and roots[head.tree_size] != head.root:
            reason = f"{whose} root is not that over the first {head.tree_size} entries of this bundle: the ledger was rewritten"
            yield Problem(tree_size=head.tree_size, reason=reason, expected=head.root.hex(), found=roots[head.tree_size].hex())


class Growth:
    """Which heads are proven to be earlier states of the newest one."""

    def __init__(self, heads: Sequence[TreeHead], remembered: Sequence[TreeHead], proofs: Sequence[Consistency]) -> None:
        self._heads = by_size(heads)
        self._roots = {head.tree_size: head.root for head in (*remembered, *self._heads.values())}
        self._remembered = remembered
        self._proofs = proofs
        self._newest = max(self._heads, default=0)

    def proof_problems(self) -> Iterator[Problem]:
        """Yield proofs of consistency that prove nothing."""
        for proof in self._proofs:
            reason = self._reason(proof)
            if reason is not None:
                yield Problem(tree_size=proof.to_size, reason=reason)

    def _reason(self, proof: Consistency) -> str | None:
        named = f"the proof that it grew out of the head of size {proof.from_size}"
        unknown = [str(size) for size in (proof.from_size, proof.to_size) if size not in self._roots and size != 0]
        if unknown:
            return f"{named} is for a head that is not there (size {', '.join(unknown)})"
        return None if self._holds(proof) else f"{named} does not lead from that root to this one: a root or the proof was changed"

    def _holds(self, proof: Consistency) -> bool:
        from_root, to_root = self._roots.get(proof.from_size, b""), self._roots.get(proof.to_size, b"")
        return proves_consistency(proof.from_size, proof.to_size, proof.path, from_root, to_root)

    def gap_problems(self) -> Iterator[Problem]:
        """Yield heads that no chain of proofs joins with the newest; where a chain breaks, the newest head before the break."""
        joined = self._joined(self._newest)
        for size in sorted(self._heads, reverse=True):
            if size not in joined:
                yield Problem(tree_size=size, reason=f"no proof of consistency joins it with the newest head, of size {self._newest}")
                joined |= self._joined(size)

    def _joined(self, newest: int) -> set[int]:
        """Return the sizes from which valid proofs lead, step by step, to that of one head."""
        edges = [(proof.from_size, proof.to_size) for proof in self._proofs if proof.to_size in self._roots and self._holds(proof)]
        joined = {0, newest}
        for from_size, to_size in sorted(edges, key=lambda edge: edge[1], reverse=True):
            if to_size in joined:
                joined.add(from_size)
        return joined

    def memory_problems(self) -> Iterator[Problem]:
        """Yield remembered heads that are no earlier states of the newest one; of those without a proof only the last remembered."""
        unproven = self._unproven()
        for old in self._remembered:
            head = self._heads.get(old.tree_size)
            if old.tree_size > self._newest:
                reason = "the log was longer when this head was remembered: entries or heads were cut off"
                yield Problem(
                    tree_size=old.tree_size, reason=reason, expected=f"{old.tree_size} leaves or more", found=f"{self._newest} leaves"
                )
            elif head is not None and head.root != old.root:
                reason = "the remembered head of this size has another root: the ledger was rewritten"
                yield Problem(tree_size=old.tree_size, reason=reason, expected=old.root.hex(), found=head.root.hex())
            elif old.tree_size in unproven - self.uncompared():
                reason = f"the bundle does not prove that the remembered head grew into its newest, of size {self._newest}"
                yield Problem(tree_size=old.tree_size, reason=reason, expected="a proof of consistency from it", found="none")

    def uncompared(self) -> set[int]:
        """Return the sizes of older remembered heads without a proof; the last remembered must have one."""
        return self._unproven() - {max((old.tree_size for old in self._remembered if old.tree_size <= self._newest), default=0)}

    def _unproven(self) -> set[int]:
        """Return the sizes of remembered heads that no proof in the bundle joins with its newest head."""
        joined = self._joined(self._newest)
        return {old.tree_size for old in self._remembered if old.tree_size <= self._newest} - joined
