"""A page of a list, as storage answers it: items in order of their id, and where the next page begins."""

from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from keisan.domain.limits import PAGE_ITEMS_DEFAULT

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Items after the id `after` (None: from the start), at most `limit`."""

    after: UUID | None = None
    limit: int = PAGE_ITEMS_DEFAULT


@dataclass(frozen=True, slots=True)
class PageOf(Generic[Item]):
    """`next_after` goes into the next PageRequest; None on the last page."""

    items: tuple[Item, ...]
    next_after: UUID | None
