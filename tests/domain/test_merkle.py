"""The Merkle tree against RFC 6962's own recursive definition, the published vectors, and proofs that were bent."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.merkle import (
    EMPTY_ROOT,
    Frontier,
    NodeId,
    Range,
    consistency_ranges,
    cover,
    frontier_ids,
    hashes_of,
    inclusion_ranges,
    is_consistent,
    leaf_hash,
    needed,
    node_hash,
    root_by_inclusion,
)
from tests.vectors import LEAVES, MERKLE, ROOTS, path_of

AUDIT_PATHS = {(one["leaf_index"], one["tree_size"]): path_of(one) for one in MERKLE["inclusion"]}
CONSISTENCY_PROOFS = {(one["from_size"], one["to_size"]): path_of(one) for one in MERKLE["consistency"]}


def mth(leaves: list[bytes]) -> bytes:
    """MTH(D[n]) of RFC 6962 §2.1, word for word, over leaf hashes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH(m, D[n]) of RFC 6962 §2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], *, whole: bool) -> list[bytes]:
    """SUBPROOF(m, D[n], b) of RFC 6962 §2.1.2."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*subproof(m, leaves[:k], whole=whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], whole=False), mth(leaves[:k])]


def made(count: int) -> list[bytes]:
    """Return that many leaf hashes."""
    return [leaf_hash(number.to_bytes(4)) for number in range(count)]


class Tree:
    """A tree kept as the sealer keeps it: leaves, and every complete inner node."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.frontier, nodes = Frontier().extended(leaves)
        self.nodes = {NodeId(0, index): leaf for index, leaf in enumerate(leaves)} | {node.id: node.hash for node in nodes}

    def hashes(self, ranges: list[Range]) -> list[bytes]:
        """Return the roots of subtrees."""
        return hashes_of(ranges, self.nodes.__getitem__)


SIZES = st.integers(1, 300)


class TestGrowing:
    @given(size=st.integers(0, 300), cut=st.integers(0, 300))
    def test_has_the_rfcs_root_however_the_leaves_arrive(self, size: int, cut: int) -> None:
        leaves = made(size)
        first, _ = Frontier().extended(leaves[:cut])
        grown, _ = first.extended(leaves[cut:])
        assert grown == Frontier().extended(leaves)[0]
        assert (grown.size, grown.root()) == (size, mth(leaves))

    @given(size=SIZES)
    def test_completes_each_inner_node_once_with_the_rfcs_hash(self, size: int) -> None:
        leaves = made(size)
        _, nodes = Frontier().extended(leaves)
        assert len({node.id for node in nodes}) == len(nodes) == size - size.bit_count()
        for (level, index), found in nodes:
            assert found == mth(leaves[index << level : index + 1 << level])

    @given(size=SIZES)
    def test_is_taken_up_again_from_stored_nodes(self, size: int) -> None:
        tree = Tree(made(size))
        assert tuple(tree.nodes[node] for node in frontier_ids(size)) == tree.frontier.peaks

    def test_of_nothing_has_the_root_of_nothing(self) -> None:
        assert Frontier().root() == EMPTY_ROOT == mth([])


class TestInclusion:
    @given(size=SIZES, data=st.data())
    def test_has_the_rfcs_path_and_leads_to_the_root(self, size: int, data: st.DataObject) -> None:
        leaves, index = made(size), data.draw(st.integers(0, size - 1))
        tree = Tree(leaves)
        proof = tree.hashes(inclusion_ranges(index, size))
        assert proof == path(index, leaves)
        assert root_by_inclusion(leaves[index], index, size, proof) == tree.frontier.root()

    @given(size=st.integers(1, 2**50), data=st.data())
    def test_reads_few_nodes(self, size: int, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, size - 1))
        assert len(needed(inclusion_ranges(index, size))) <= 2 * size.bit_length()

    @given(size=st.integers(2, 100), data=st.data())
    def test_of_another_leaf_place_size_or_hash_leads_elsewhere(self, size: int, data: st.DataObject) -> None:
        leaves, index = made(size), data.draw(st.integers(0, size - 1))
        tree = Tree(leaves)
        root, proof = tree.frontier.root(), tree.hashes(inclusion_ranges(index, size))
        other = data.draw(st.integers(0, size - 1).filter(lambda place: place != index))
        bent = list(proof)
        bent[data.draw(st.integers(0, len(proof) - 1))] = bytes(32)
        assert root_by_inclusion(leaves[other], index, size, proof) != root
        assert root_by_inclusion(leaves[index], other, size, proof) != root
        assert root_by_inclusion(leaves[index], index, size, bent) != root
        assert root_by_inclusion(leaves[index], index, size, proof[:-1]) is None
        assert root_by_inclusion(leaves[index], index, size, [*proof, bytes(32)]) is None

    @pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
    def test_of_no_leaf_is_refused(self, index: int, size: int) -> None:
        with pytest.raises(ValueError, match="no leaf"):
            inclusion_ranges(index, size)
        assert root_by_inclusion(bytes(32), index, size, []) is None


class TestConsistency:
    @given(new=SIZES, data=st.data())
    def test_has_the_rfcs_path_and_holds(self, new: int, data: st.DataObject) -> None:
        leaves, old = made(new), data.draw(st.integers(1, new))
        tree = Tree(leaves)
        proof = tree.hashes(consistency_ranges(old, new))
        assert proof == subproof(old, leaves, whole=True)
        assert is_consistent((old, mth(leaves[:old])), (new, mth(leaves)), proof)

    @given(new=st.integers(2, 100), data=st.data())
    def test_does_not_hold_for_a_tree_with_another_past(self, new: int, data: st.DataObject) -> None:
        leaves, old = made(new), data.draw(st.integers(1, new - 1))
        changed = data.draw(st.integers(0, old - 1))
        rewritten = [leaf_hash(b"other") if place == changed else leaf for place, leaf in enumerate(leaves)]
        proof = Tree(rewritten).hashes(consistency_ranges(old, new))
        assert not is_consistent((old, mth(leaves[:old])), (new, mth(rewritten)), proof)

    @given(new=st.integers(2, 100), data=st.data())
    def test_does_not_hold_with_a_bent_proof(self, new: int, data: st.DataObject) -> None:
        leaves, old = made(new), data.draw(st.integers(1, new - 1))
        proof = Tree(leaves).hashes(consistency_ranges(old, new))
        bent = list(proof)
        bent[data.draw(st.integers(0, len(proof) - 1))] = bytes(32)
        heads = (old, mth(leaves[:old])), (new, mth(leaves))
        assert not is_consistent(*heads, bent)
        assert not is_consistent(*heads, proof[:-1])
        assert not is_consistent(*heads, [*proof, bytes(32)])

    @pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3), (-1, 2)])
    def test_from_nothing_or_back_is_refused(self, old: int, new: int) -> None:
        with pytest.raises(ValueError, match="0 < from <= to"):
            consistency_ranges(old, new)
        assert not is_consistent((old, bytes(32)), (new, bytes(32)), [])

    def test_of_a_tree_with_itself_needs_no_step_and_the_same_root(self) -> None:
        assert is_consistent((3, b"r"), (3, b"r"), [])
        assert not is_consistent((3, b"r"), (3, b"s"), [])
        assert not is_consistent((3, b"r"), (3, b"r"), [b"x"])


class TestPublishedVectors:
    """The reference trees of Certificate Transparency, and the worked example of RFC 6962 §2.1.3 (RFC 9162 §2.1.5)."""

    def test_have_these_roots(self) -> None:
        hashes = [leaf_hash(leaf) for leaf in LEAVES]
        assert [Frontier().extended(hashes[:size])[0].root() for size in range(len(ROOTS))] == ROOTS

    @pytest.mark.parametrize(("index", "size"), AUDIT_PATHS)
    def test_have_these_audit_paths(self, index: int, size: int) -> None:
        tree = Tree([leaf_hash(leaf) for leaf in LEAVES[:size]])
        assert tree.hashes(inclusion_ranges(index, size)) == list(AUDIT_PATHS[index, size])

    @pytest.mark.parametrize(("old", "new"), CONSISTENCY_PROOFS)
    def test_have_these_consistency_proofs(self, old: int, new: int) -> None:
        tree = Tree([leaf_hash(leaf) for leaf in LEAVES])
        assert tree.hashes(consistency_ranges(old, new)) == list(CONSISTENCY_PROOFS[old, new])

    def test_of_the_rfc_name_these_nodes_of_a_tree_of_seven(self) -> None:
        a, b, c, d, e, f = made(7)[:6]
        j = d6 = made(7)[6]
        g, h, i = node_hash(a, b), node_hash(c, d), node_hash(e, f)
        k, l = node_hash(g, h), node_hash(i, d6)  # noqa: E741  # the RFC's own letters
        tree = Tree(made(7))
        paths = {index: tree.hashes(inclusion_ranges(index, 7)) for index in (0, 3, 4, 6)}
        assert paths == {0: [b, h, l], 3: [c, g, l], 4: [f, j, k], 6: [i, k]}
        proofs = {old: tree.hashes(consistency_ranges(old, 7)) for old in (3, 4, 6)}
        assert proofs == {3: [c, d, g, l], 4: [l], 6: [i, j, k]}
        assert cover(Range(4, 7)) == [NodeId(1, 2), NodeId(0, 6)]
