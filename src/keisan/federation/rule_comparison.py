"""How two platforms that hold different records of one settlement find which: by descending a tree of hashes, level by level.

The tree is made of the SHA-256 of record ids, sixteen branches a level: a leaf's place in it depends on no other leaf, so what
differs lies under few branches. (In the tree of a receipt one more leaf moves all after it.) d differences among n leaves take
at most log16(n) + 1 questions with d branches a level.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from keisan.domain.cross_record import LeafMark, TreeNode
from keisan.domain.errors import InvalidInput
from keisan.domain.limits import COMPARISON_LEAVES_MAX
from keisan.domain.merkle import hash_leaf

DIGITS = "0123456789abcdef"
DEPTH_MAX = 64
ROOT = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """A leaf that is not the same here and there: its hashes (32 bytes), None where there is none."""

    leaf_id: UUID
    here: bytes | None
    there: bytes | None


@dataclass(frozen=True)
class LeafTree:
    """All leaves of one settlement, in any order."""

    marks: tuple[LeafMark, ...]

    @cached_property
    def _lines(self) -> Sequence[tuple[str, LeafMark]]:
        placed = ((place_leaf(mark.leaf_id), mark) for mark in self.marks)
        return sorted(placed, key=lambda line: line[0])

    @cached_property
    def _places(self) -> Sequence[str]:
        return [place for place, _ in self._lines]

    def list_leaves(self, prefix: str) -> list[LeafMark]:
        """Return the leaves below a prefix, in their places' order."""
        first = bisect_left(self._places, prefix)
        # No digit sorts after `g`.
        end = bisect_left(self._places, prefix + "g", lo=first)
        return [mark for _, mark in self._lines[first:end]]

    def sum(self, prefix: str) -> tuple[int, bytes]:
        """Return how many leaves are below a prefix, and one digest of them."""
        found = self.list_leaves(prefix)
        return len(found), digest_leaves(found)

    def show(self, prefix: str) -> TreeNode:
        """Return the subtree of a prefix: what a question is answered with. Raises InvalidInput for no prefix of a tree."""
        if len(prefix) > DEPTH_MAX or not set(prefix) <= set(DIGITS):
            raise InvalidInput("a subtree is named by hex digits", "prefix")
        found = self.list_leaves(prefix)
        count, digest = len(found), digest_leaves(found)
        if count <= COMPARISON_LEAVES_MAX:
            return TreeNode(prefix, count, digest, leaves={mark.leaf_id: mark.leaf_hash for mark in found})
        branches = {digit: self.sum(prefix + digit) for digit in DIGITS}
        return TreeNode(prefix, count, digest, branches={digit: told for digit, told in branches.items() if told[0]})


def place_leaf(leaf_id: UUID) -> str:
    """Return where a leaf stands in the tree, as 64 hex digits."""
    return hashlib.sha256(leaf_id.bytes).hexdigest()


def digest_leaves(marks: Iterable[LeafMark]) -> bytes:
    """Return one digest of leaves that are in their places' order (32 bytes)."""
    return hash_leaf(b"".join(mark.leaf_id.bytes + mark.leaf_hash for mark in marks))


def compare_node(here: LeafTree, there: TreeNode) -> tuple[list[str], list[Difference]]:
    """Return which subtrees to ask for next, and which records differ, from one answer of the other side.

    Neither says that the subtree is the same. What is asked for next is deeper, so it comes to an end with whatever answers.
    """
    if here.sum(there.prefix) == (there.count, there.digest):
        return [], []
    if there.leaves is not None:
        return [], _compare_leaves(here.list_leaves(there.prefix), there.leaves)
    asked: list[str] = []
    found: list[Difference] = []
    for digit in DIGITS:
        below, told = there.prefix + digit, (there.branches or {}).get(digit)
        if told is None:
            found += _compare_leaves(here.list_leaves(below), {})
        elif told != here.sum(below):
            asked.append(below)
    return asked, found


def _compare_leaves(here: Iterable[LeafMark], there: Mapping[UUID, bytes]) -> list[Difference]:
    own = {mark.leaf_id: mark.leaf_hash for mark in here}
    pairs = [(each, own.get(each), there.get(each)) for each in sorted({*own, *there})]
    return [Difference(leaf_id, ours, theirs) for leaf_id, ours, theirs in pairs if ours != theirs]
