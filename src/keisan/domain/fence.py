"""A fence: what a start order carries, so that a site's agent can tell an old order from a new one.

The platform raises a deployment's number whenever it places anew; the epoch rises whenever the platform begins another life.
"""

from typing import NamedTuple


class Fence(NamedTuple):
    """Compared by epoch, then by number; both 0 where a platform of before fences orders."""

    epoch: int
    number: int


NO_FENCE = Fence(0, 0)


def is_outdated(order: Fence, seen: Fence | None) -> bool:
    """Tell whether an order is older than one that was seen before: it starts nothing. The same again is no older."""
    return seen is not None and order < seen
