"""Reading all pages of a list, for who works on the whole of it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from keisan.domain.access import PlatformScope, Scope
from keisan.domain.page import PageOf, PageRequest

Item = TypeVar("Item")
PAGE_ITEMS = 500


async def walk_pages(fetch: Callable[[Scope, PageRequest], Awaitable[PageOf[Item]]]) -> AsyncIterator[Item]:
    """Yield everything on the platform that `fetch` lists, in its order."""
    page: PageRequest | None = PageRequest(limit=PAGE_ITEMS)
    while page is not None:
        found = await fetch(PlatformScope(), page)
        for item in found.items:
            yield item
        page = PageRequest(found.next_after, PAGE_ITEMS) if found.next_after is not None else None
