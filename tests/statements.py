"""What a test asks of databases, as it is sent to them."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from sqlalchemy import Engine, event

_IS_LISTING: ContextVar[bool] = ContextVar("is_listing", default=False)


@contextmanager
def list_statements() -> Iterator[list[str]]:
    """Yield a list of the statements that databases are given meanwhile; one with many rows is one.

    Those of the task that asks, and of what it starts; others go on beside it, as links do.
    """
    given: list[str] = []

    def note(*said: object) -> None:
        if _IS_LISTING.get():
            given.append(" ".join(str(said[2]).split()))

    token = _IS_LISTING.set(True)
    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield given
    finally:
        event.remove(Engine, "before_cursor_execute", note)
        _IS_LISTING.reset(token)
