"""A page of a list: items and the opaque cursor of the next page, None on the last; and how a page is asked for."""

from typing import Annotated, Generic, TypeVar

from pydantic import Field

from keisan.domain.limits import PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX
from keisan.wire.base import WireInput, WireView

Item = TypeVar("Item", bound=WireView)
Limit = Annotated[int, Field(ge=1, le=PAGE_ITEMS_MAX)]
CURSOR_CHARACTERS_MAX = 64


class ListQuery(WireInput):
    """Which page of a list: at most `limit` items from `cursor` on, which came with the page before."""

    limit: Limit = PAGE_ITEMS_DEFAULT
    cursor: Annotated[str, Field(max_length=CURSOR_CHARACTERS_MAX)] | None = None


class Page(WireView, Generic[Item]):
    """`next_cursor` goes back as `?cursor=`; the cursor's text has no meaning to the reader."""

    items: tuple[Item, ...]
    next_cursor: str | None = None
