"""Merkle trees of RFC 6962, section 2.1: one hash stands for many leaves, and a path of hashes proves that one is among them.

Leaves and nodes are hashed apart (a first byte 0 or 1), so a node can never pass for a leaf.
"""

import hashlib
from collections.abc import Iterable, Sequence

EMPTY_ROOT = hashlib.sha256(b"").digest()
LEAF_PREFIX = b"\x00"
NODE_PREFIX = b"\x01"


def hash_leaf(content: bytes) -> bytes:
    """Return the hash of a leaf (32 bytes)."""
    return hashlib.sha256(LEAF_PREFIX + content).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node above two others (32 bytes)."""
    return hashlib.sha256(NODE_PREFIX + left + right).digest()


class RootBuilder:
    """Computes a root from leaves that come one by one, and holds one hash per level of the tree."""

    def __init__(self, leaf_count: int = 0, roots: Sequence[bytes] = ()) -> None:
        """Begin with nothing, or go on from the `roots` of a builder that had taken so many leaves."""
        # Whole trees of falling height, as bits of the number of leaves: two of one height become one that is higher.
        self._heights = [height for height in reversed(range(leaf_count.bit_length())) if leaf_count >> height & 1]
        self._roots = list(roots)
        assert len(self._roots) == len(self._heights)

    @property
    def roots(self) -> tuple[bytes, ...]:
        """Return what it holds: with the number of leaves, all that it takes to go on later."""
        return tuple(self._roots)

    def add(self, leaf_hash: bytes) -> None:
        """Take the hash of the next leaf."""
        height, root = 0, leaf_hash
        while self._heights and self._heights[-1] == height:
            self._heights.pop()
            root = hash_node(self._roots.pop(), root)
            height += 1
        self._heights.append(height)
        self._roots.append(root)

    def build(self) -> bytes:
        """Return the root above the leaves so far."""
        if not self._roots:
            return EMPTY_ROOT
        *higher, root = self._roots
        for beside in reversed(higher):
            root = hash_node(beside, root)
        return root


def compute_root(leaf_hashes: Iterable[bytes]) -> bytes:
    """Return the root above hashes of leaves, in one pass."""
    builder = RootBuilder()
    for leaf_hash in leaf_hashes:
        builder.add(leaf_hash)
    return builder.build()


def build_path(leaf_hashes: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Return the hashes beside the way from a leaf up to the root, lowest first; 0 <= `index` < number of leaves."""
    path: list[bytes] = []
    first, count = 0, len(leaf_hashes)
    while count > 1:
        left_count = _count_left(count)
        middle, end = first + left_count, first + count
        if index < middle:
            path.append(compute_root(leaf_hashes[middle:end]))
            count = left_count
        else:
            path.append(compute_root(leaf_hashes[first:middle]))
            first, count = middle, count - left_count
    return tuple(reversed(path))


def follow_path(leaf_hash: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that a path leads to from the leaf at `index` of `count`; None if no path of a tree is like that.

    Source: RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < count:
        return None
    position, last, root = index, count - 1, leaf_hash
    for beside in path:
        if last == 0:
            return None
        if position & 1 or position == last:
            root = hash_node(beside, root)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            root = hash_node(root, beside)
        position >>= 1
        last >>= 1
    return root if last == 0 else None


def _count_left(count: int) -> int:
    """Return the largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)
