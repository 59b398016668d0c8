"""The verifier's Merkle tree and canonical JSON give the published values, and refuse what was bent."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from standfast_verify.canonical import canonical_text, decoded, number_text
from standfast_verify.merkle import GrowingTree, leaf_hash, proves_consistency, proves_inclusion
from tests.clients.verify.trees import audit_path, consistency_proof, tree_root
from tests.vectors import DOCUMENTS, LEAVES, MERKLE, NUMBERS, REFUSED_NUMBERS, ROOTS, path_of

Proof = dict[str, Any]  # Any: a published proof, as it stands in its file
SOME = bytes(range(32))


def numbers_of(proof: Proof, *names: str) -> tuple[int, ...]:
    """Return numbers of a published proof."""
    return tuple(int(proof[name]) for name in names)


def bent_inclusions(proof: Proof) -> list[tuple[int, int, tuple[bytes, ...], bytes]]:
    """Return what a verifier must refuse, after the probes of Certificate Transparency's own tests."""
    place, size = numbers_of(proof, "leaf_index", "tree_size")
    path, root = path_of(proof), ROOTS[size]
    bent = [(place - 1, size, path, root), (place + 1, size, path, root), (place ^ 2, size, path, root)]
    bent += [(place, size * 2, path, root), (place, size // 2, path, root), (place, size, path, ROOTS[0]), (place, size, path, SOME)]
    bent += [(place, size, (*path, b""), root), (place, size, (*path, root), root), (place, size, (root, *path), root)]
    bent += [(place, size, (*path[:at], SOME, *path[at + 1 :]), root) for at in range(len(path))]
    return bent + [(place, size, path[:-1], root) for _ in path[:1]]


def bent_growths(proof: Proof) -> list[tuple[int, int, tuple[bytes, ...], bytes, bytes]]:
    """Return the same for a proof of consistency."""
    old, new = numbers_of(proof, "from_size", "to_size")
    path, first, last = path_of(proof), ROOTS[old], ROOTS[new]
    bent = [(old - 1, new, path, first, last), (old + 1, new, path, first, last), (old ^ 2, new, path, first, last)]
    bent += [(old, new * 2, path, first, last), (old, new // 2, path, first, last), (old, new, path, last, first)]
    bent += [
        (old, new, path, SOME, last),
        (old, new, path, first, SOME),
        (old, new, (), first, last),
        (old, new, (*path, b""), first, last),
    ]
    bent += [(old, new, (*path, one), first, last) for one in (first, last)] + [
        (old, new, (one, *path), first, last) for one in (first, last)
    ]
    bent += [(old, new, (*path[:at], SOME, *path[at + 1 :]), first, last) for at in range(len(path))]
    return [*bent, (old, new, path[:-1], first, last)]


class TestTree:
    @pytest.mark.parametrize("size", range(9))
    def test_has_the_published_root(self, size: int) -> None:
        tree = GrowingTree()
        for leaf in LEAVES[:size]:
            tree.append(leaf)
        assert (tree.size, tree.root()) == (size, ROOTS[size])
        assert tree_root(LEAVES[:size]) == ROOTS[size], "the tests' own tree"

    @pytest.mark.parametrize("proof", MERKLE["inclusion"])
    def test_takes_published_proofs_of_inclusion_and_none_that_was_bent(self, proof: Proof) -> None:
        place, size = numbers_of(proof, "leaf_index", "tree_size")
        leaf = leaf_hash(LEAVES[place])
        assert proves_inclusion(leaf, place, size, path_of(proof), ROOTS[size])
        assert [bent for bent in bent_inclusions(proof) if proves_inclusion(leaf, *bent)] == []
        assert not proves_inclusion(SOME, place, size, path_of(proof), ROOTS[size])
        assert tuple(audit_path(place, LEAVES[:size])) == path_of(proof), "the tests' own tree"

    @pytest.mark.parametrize("proof", MERKLE["consistency"])
    def test_takes_published_proofs_of_consistency_and_none_that_was_bent(self, proof: Proof) -> None:
        old, new = numbers_of(proof, "from_size", "to_size")
        assert proves_consistency(old, new, path_of(proof), ROOTS[old], ROOTS[new])
        if old != new:
            assert [bent for bent in bent_growths(proof) if proves_consistency(*bent)] == []
            assert tuple(consistency_proof(old, LEAVES[:new])) == path_of(proof), "the tests' own tree"

    @pytest.mark.parametrize(
        ("old", "new", "path", "first", "last"),
        [
            (1, 0, (), ROOTS[1], ROOTS[0]),
            (2, 1, (), ROOTS[2], ROOTS[1]),
            (1, 2, (), ROOTS[1], ROOTS[2]),
            (0, 1, (SOME,), ROOTS[0], ROOTS[1]),
            (1, 1, (SOME,), ROOTS[1], ROOTS[1]),
            (1, 1, (), ROOTS[1], ROOTS[2]),
            (-1, 1, (), ROOTS[1], ROOTS[1]),
        ],
    )
    def test_takes_no_growth_that_cannot_be(self, old: int, new: int, path: tuple[bytes, ...], first: bytes, last: bytes) -> None:
        assert not proves_consistency(old, new, path, first, last)

    @given(st.integers(1, 40), st.data())
    def test_agrees_with_the_definition_in_the_rfc(self, size: int, data: st.DataObject) -> None:
        leaves = [bytes([number]) * 3 for number in range(size)]
        place, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
        assert proves_inclusion(leaf_hash(leaves[place]), place, size, audit_path(place, leaves), tree_root(leaves))
        assert proves_consistency(old, size, consistency_proof(old, leaves), tree_root(leaves[:old]), tree_root(leaves))


class TestCanonicalJson:
    @pytest.mark.parametrize(("name", "text", "canonical"), DOCUMENTS)
    def test_of_published_documents(self, name: str, text: str, canonical: str) -> None:
        assert canonical_text(json.loads(text)) == canonical, name
        assert decoded(canonical.encode())[1] is None
        assert decoded(text.encode())[1] is not None

    @pytest.mark.parametrize(("number", "text"), NUMBERS)
    def test_of_published_numbers(self, number: float, text: str) -> None:
        assert number_text(number) == text
        assert decoded(f"[{text}]".encode())[1] is None

    @pytest.mark.parametrize("number", REFUSED_NUMBERS)
    def test_refuses_published_non_numbers(self, number: float) -> None:
        with pytest.raises(ValueError, match="no JSON form"):
            number_text(number)

    @pytest.mark.parametrize(
        ("body", "place"),
        [
            (b'{"b":1,"a":2}', 2),
            (b'{"a": 1}', 5),
            (b' {"a":1}', 0),
            (b'{"a":1}\n', 7),
            (b'{"a":1.0}', 6),
            (b'{"a":1E2}', 6),
            (b'{"a":-0}', 5),
            (b'{"a":9007199254740993}', 20),
            (b'{"a":1,"a":1}', 6),
            (rb'{"a":"\u0041"}', 6),
            (rb'{"a":"\/"}', 6),
            (rb'{"a":"\u001F"}', 11),
            (rb'{"a":"\u000a"}', 7),
        ],
    )
    def test_says_where_a_text_departs_from_it(self, body: bytes, place: int) -> None:
        _, fault = decoded(body)
        assert fault is not None
        assert fault.startswith(f"from character {place} on")

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"NaN", b"[Infinity]", b"\xff", b"\xef\xbb\xbf{}", b"[1e999]", rb'"\ud800"', b"[" * 100_000]
    )
    def test_refuses_what_has_no_canonical_form(self, body: bytes) -> None:
        with pytest.raises(ValueError, match=r"\w"):
            decoded(body)

    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_of_any_number_reads_back_as_the_same(self, number: float) -> None:
        assert math.isclose(float(number_text(number)), number, rel_tol=0)
