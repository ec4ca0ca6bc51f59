"""A page of a list: items and the opaque cursor of the next page, None on the last."""

from typing import Generic, TypeVar

from keisan.wire.base import WireView

Item = TypeVar("Item", bound=WireView)


class Page(WireView, Generic[Item]):
    """`next_cursor` goes back as `?cursor=`; the cursor's text has no meaning to the reader."""

    items: tuple[Item, ...]
    next_cursor: str | None = None
