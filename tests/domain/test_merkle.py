"""Merkle trees: equal to RFC 6962's recursive definition, and no path proves what is not there."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.merkle import EMPTY_ROOT, RootBuilder, build_path, compute_root, follow_path, hash_leaf, hash_node

LEAVES = st.lists(st.binary(max_size=4), min_size=1, max_size=40).map(
    lambda leaves: [hash_leaf(leaf) for leaf in leaves]
)
# Source: RFC 6962's reference implementation (certificate-transparency, merkle_tree_test): leaves and roots of 1 to 8.
KNOWN_LEAVES = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
]
KNOWN_ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def define_root(leaf_hashes: list[bytes]) -> bytes:
    """Return the root as section 2.1 of RFC 6962 defines it."""
    count = len(leaf_hashes)
    if count == 1:
        return leaf_hashes[0]
    left = max(2**power for power in range(count.bit_length()) if 2**power < count)
    return hash_node(define_root(leaf_hashes[:left]), define_root(leaf_hashes[left:]))


@pytest.mark.parametrize("count", KNOWN_ROOTS)
def test_known_roots(count: int) -> None:
    assert compute_root(hash_leaf(leaf) for leaf in KNOWN_LEAVES[:count]).hex() == KNOWN_ROOTS[count]


def test_root_of_nothing_is_the_hash_of_nothing() -> None:
    assert compute_root([]) == EMPTY_ROOT == hashlib.sha256(b"").digest()


@given(LEAVES)
def test_root_is_as_it_is_defined(leaf_hashes: list[bytes]) -> None:
    assert compute_root(iter(leaf_hashes)) == define_root(leaf_hashes)


@given(LEAVES)
def test_path_of_every_leaf_leads_to_the_root(leaf_hashes: list[bytes]) -> None:
    root, count = compute_root(leaf_hashes), len(leaf_hashes)
    for index, leaf_hash in enumerate(leaf_hashes):
        assert follow_path(leaf_hash, index, count, build_path(leaf_hashes, index)) == root


@given(LEAVES, st.data())
def test_no_other_leaf_place_or_path_leads_to_the_root(leaf_hashes: list[bytes], data: st.DataObject) -> None:
    root, count = compute_root(leaf_hashes), len(leaf_hashes)
    index = data.draw(st.integers(0, count - 1))
    path = list(build_path(leaf_hashes, index))
    assert follow_path(hash_leaf(b"stranger"), index, count, path) != root
    assert follow_path(leaf_hashes[index], index, count, [*path, bytes(32)]) is None
    assert follow_path(leaf_hashes[index], count, count, path) is None
    assert follow_path(leaf_hashes[index], -1, count, path) is None
    if path:
        assert follow_path(leaf_hashes[index], index, count, path[:-1]) is None
        place = data.draw(st.integers(0, len(path) - 1))
        assert follow_path(leaf_hashes[index], index, count, [*path[:place], bytes(32), *path[place + 1 :]]) != root


def test_node_does_not_pass_for_a_leaf() -> None:
    left, right = hash_leaf(b"left"), hash_leaf(b"right")
    assert hash_leaf(left + right) != hash_node(left, right)


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=40))
def test_root_so_far_is_that_of_the_leaves_so_far(leaf_hashes: list[bytes]) -> None:
    builder = RootBuilder()
    for count, leaf_hash in enumerate(leaf_hashes, start=1):
        builder.add(leaf_hash)
        assert builder.build() == compute_root(leaf_hashes[:count]) == define_root(leaf_hashes[:count])
        # Whoever goes on from what it holds comes to the same.
        builder = RootBuilder(count, builder.roots)
