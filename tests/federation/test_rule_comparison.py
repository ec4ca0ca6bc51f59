"""Descending the tree: exactly what was planted is found, with questions that grow with differences and not with records."""

from collections.abc import Set as AbstractSet
from math import ceil, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.cross_record import LeafMark, TreeNode
from keisan.domain.errors import InvalidInput
from keisan.federation.rule_comparison import ROOT, Difference, LeafTree, compare_node
from tests.federation.cross_samples import mark


def descend(here: LeafTree, there: LeafTree) -> tuple[list[Difference], int]:
    """Return what differs, and how many subtrees were asked for."""
    asked, found, count = [ROOT], [], 0
    while asked:
        below, differences = compare_node(here, there.show(asked.pop()))
        asked += below
        found += differences
        count += 1
    return sorted(found, key=lambda each: each.leaf_id), count


def plant(numbers: AbstractSet[int], changed: AbstractSet[int] = frozenset()) -> LeafTree:
    return LeafTree(tuple(mark(number, int(number in changed)) for number in numbers))


NUMBERS = st.sets(st.integers(0, 400), max_size=120)


@given(NUMBERS, NUMBERS, st.sets(st.integers(0, 400), max_size=9))
def test_exactly_the_planted_differences_are_found(ours: set[int], theirs: set[int], changed: set[int]) -> None:
    found, _ = descend(plant(ours), plant(theirs, changed))
    expected = (ours ^ theirs) | (ours & theirs & changed)
    assert [each.leaf_id for each in found] == sorted(mark(number).leaf_id for number in expected)
    for difference in found:
        assert difference.here != difference.there


def test_questions_grow_with_differences_and_not_with_records() -> None:
    count, missing = 20_000, {5, 777, 12_345}
    every = set(range(count))
    found, asked = descend(plant(every - missing), plant(every, {9_999}))
    assert [each.here is None for each in found] == [True, True, False, True]
    assert asked <= 4 * (ceil(log(count, 16)) + 1)
    assert descend(plant(every), plant(every)) == ([], 1)


def test_order_of_leaves_is_of_no_account() -> None:
    marks = [mark(number) for number in range(60)]
    assert LeafTree(tuple(marks)).show(ROOT) == LeafTree(tuple(reversed(marks))).show(ROOT)


@pytest.mark.parametrize("prefix", ["g", "A", "0" * 65])
def test_what_names_no_subtree_is_refused(prefix: str) -> None:
    with pytest.raises(InvalidInput):
        plant({1}).show(prefix)


def test_an_answer_without_leaves_or_branches_leaves_all_of_here() -> None:
    own: list[LeafMark] = [mark(1), mark(2)]
    asked, found = compare_node(LeafTree(tuple(own)), TreeNode(ROOT, 5, bytes(32)))
    assert (asked, len(found)) == ([], 2)
