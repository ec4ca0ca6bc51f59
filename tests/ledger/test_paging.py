"""All pages of a list, in order, none twice."""

from uuid import UUID

from keisan.domain.access import PlatformScope, Scope
from keisan.domain.page import PageOf, PageRequest
from keisan.ledger.paging import PAGE_ITEMS, walk_pages


async def test_every_item_comes_once_and_in_order() -> None:
    items = [UUID(int=number) for number in range(2 * PAGE_ITEMS + 1)]
    asked: list[Scope] = []

    async def fetch(scope: Scope, page: PageRequest) -> PageOf[UUID]:
        asked.append(scope)
        later = [item for item in items if page.after is None or item > page.after]
        kept = tuple(later[: page.limit])
        return PageOf(kept, kept[-1] if len(later) > page.limit else None)

    assert [item async for item in walk_pages(fetch)] == items
    assert asked == [PlatformScope()] * 3
