"""Pages of lists: opaque cursors in, pages of views out."""

import base64
import binascii
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from keisan.domain.errors import InvalidInput
from keisan.domain.page import PageOf, PageRequest
from keisan.wire.base import WireView
from keisan.wire.page import ListQuery, Page

Noun = TypeVar("Noun")
View = TypeVar("View", bound=WireView)

# Opaque to readers, so that what a page hangs on may change; the first byte tells how it is read.
_CURSOR_VERSION = b"\x01"


def read_page(query: ListQuery) -> PageRequest:
    """Return the page that is asked for; raises InvalidInput for a cursor that this platform did not write."""
    return PageRequest(after=_parse_cursor(query.cursor) if query.cursor is not None else None, limit=query.limit)


def build_page(found: PageOf[Noun], build_view: Callable[[Noun], View]) -> Page[View]:
    """Return a page of views with the cursor of the next."""
    items = tuple(build_view(noun) for noun in found.items)
    return Page(items=items, next_cursor=_format_cursor(found.next_after) if found.next_after else None)


def _format_cursor(after: UUID) -> str:
    return base64.urlsafe_b64encode(_CURSOR_VERSION + after.bytes).rstrip(b"=").decode()


def _parse_cursor(text: str) -> UUID:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 17 or raw[:1] != _CURSOR_VERSION:
        raise InvalidInput("this is no cursor of this platform", "cursor")
    return UUID(bytes=raw[1:])
