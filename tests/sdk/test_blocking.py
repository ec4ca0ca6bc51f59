"""The synchronous shell: results, errors, iteration and an end, with the words of what it wraps."""

import inspect
from collections.abc import AsyncGenerator

import pytest

from keisan.domain.errors import NotFound, StateConflict
from keisan.sdk.blocking import Blocking, Shell, iterate, wait_for


class AsyncCounter:
    """Counts."""

    def __init__(self) -> None:
        self._closed: list[int] = []

    def list_closed(self) -> list[int]:
        """Return the ends of the counts that were closed."""
        return list(self._closed)

    async def add(self, left: int, *, right: int = 1) -> int:
        """Add two numbers."""
        if left < 0:
            raise NotFound("no such number")
        return left + right

    async def count(self, end: int) -> AsyncGenerator[int, None]:
        """Count up."""
        try:
            for number in range(end):
                yield number
        finally:
            self._closed.append(end)


class Counter(Blocking[AsyncCounter]):
    add = wait_for(AsyncCounter.add)
    count = iterate(AsyncCounter.count)


def test_result_and_error_come_through() -> None:
    shell = Shell()
    counter = Counter(AsyncCounter(), shell)
    assert counter.add(1, right=2) == 3
    with pytest.raises(NotFound):
        counter.add(-1)
    shell.close()


def test_words_and_signature_stay() -> None:
    assert Counter.add.__doc__ == "Add two numbers."
    assert list(inspect.signature(Counter.add).parameters) == ["self", "left", "right"]


def test_iteration_ends_and_closes_its_source() -> None:
    shell, inner = Shell(), AsyncCounter()
    counter = Counter(inner, shell)
    assert list(counter.count(3)) == [0, 1, 2]
    assert inner.list_closed() == [3]
    shell.close()


def test_iteration_that_is_left_closes_its_source() -> None:
    shell, inner = Shell(), AsyncCounter()
    items = Counter(inner, shell).count(3)
    assert next(items) == 0
    assert inner.list_closed() == []
    items.close()
    assert inner.list_closed() == [3]
    shell.close()


def test_closed_shell_refuses() -> None:
    shell = Shell()
    counter = Counter(AsyncCounter(), shell)
    left = counter.count(2)
    assert next(left) == 0
    shell.close()
    with pytest.raises(StateConflict):
        counter.add(1)
    with pytest.raises(StateConflict):
        next(left)
