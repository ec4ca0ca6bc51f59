"""Fences: what is old, what is the same, and how a restored platform gets above what agents have seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.fence import NO_FENCE, Fence, is_outdated, raise_above

FENCES = st.builds(Fence, st.integers(0, 4), st.integers(0, 4))


@pytest.mark.parametrize(
    ("order", "seen", "expected"),
    [
        (Fence(2, 5), None, False),
        (Fence(2, 5), Fence(2, 5), False),
        (Fence(2, 4), Fence(2, 5), True),
        (Fence(2, 6), Fence(2, 5), False),
        (Fence(1, 9), Fence(2, 5), True),
        (Fence(3, 0), Fence(2, 5), False),
        (NO_FENCE, None, False),
        (NO_FENCE, Fence(0, 1), True),
    ],
)
def test_order_is_outdated_on_one_side_of_the_border_only(order: Fence, seen: Fence | None, expected: bool) -> None:
    assert is_outdated(order, seen) is expected


@given(own=FENCES, seen=FENCES)
def test_raised_fence_is_followed_and_never_lower(own: Fence, seen: Fence) -> None:
    raised = raise_above(own, seen)
    assert raised > seen
    assert raised >= own
    assert not is_outdated(raised, seen)
    assert raised == own or own <= seen
