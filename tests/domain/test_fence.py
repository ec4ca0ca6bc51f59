"""Fences: what is old, and what is the same."""

import pytest

from keisan.domain.fence import NO_FENCE, Fence, is_outdated


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
