"""What databases are asked, as it is sent to them."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, event


@contextmanager
def list_statements() -> Iterator[list[str]]:
    """Yield a list of the statements that databases are given in the meantime; one with many rows is one."""
    given: list[str] = []

    def note(*said: object) -> None:
        given.append(" ".join(str(said[2]).split()))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield given
    finally:
        event.remove(Engine, "before_cursor_execute", note)
