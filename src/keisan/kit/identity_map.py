"""What is made once for each of a few values that many others share, found by which object it is, not by what it equals."""

from collections.abc import Callable
from typing import Generic, TypeVar

Shared = TypeVar("Shared")
Made = TypeVar("Made")


class IdentityMap(Generic[Shared, Made]):
    """Makes a value for an object the first time it is asked for. It keeps the object, so that no other has its place.

    Comparing a value of many fields costs more than what is looked up; two equal objects have a value each.
    """

    def __init__(self, make: Callable[[Shared], Made]) -> None:
        self._make = make
        self._made: dict[int, tuple[Shared, Made]] = {}

    def get(self, shared: Shared) -> Made:
        """Return what was made for this object."""
        found = self._made.get(id(shared))
        if found is None:
            found = self._made[id(shared)] = (shared, self._make(shared))
        return found[1]

    def values(self) -> list[Made]:
        """Return all that was made, in the order in which it was first asked for."""
        return [made for _, made in self._made.values()]
