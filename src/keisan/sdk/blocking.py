"""The synchronous shell: the same methods, run to their end on an event loop of its own in the calling thread."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from functools import wraps
from typing import Concatenate, Generic, ParamSpec, TypeVar

from keisan.domain.errors import StateConflict

Resource = TypeVar("Resource")
Result = TypeVar("Result")
Parameters = ParamSpec("Parameters")
_ENDED = object()


class Shell:
    """Runs coroutines for one synchronous client. Not for use by several threads, nor where an event loop runs."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self.is_closed = False

    def run(self, start: Callable[[], Coroutine[object, object, Result]]) -> Result:
        """Run what `start` returns to its end; raises StateConflict on a closed client, else what it raises."""
        if self.is_closed:
            raise StateConflict("this client is closed")
        return self._runner.run(start())

    def close(self) -> None:
        """End the event loop and what is left on it."""
        self.is_closed = True
        self._runner.close()


class Blocking(Generic[Resource]):
    """A resource of the asynchronous client behind a shell."""

    def __init__(self, inner: Resource, shell: Shell) -> None:
        self._inner = inner
        self._shell = shell


def wait_for(
    method: Callable[Concatenate[Resource, Parameters], Coroutine[object, object, Result]],
) -> Callable[Concatenate[Blocking[Resource], Parameters], Result]:
    """Return the method that waits for an asynchronous one; its signature and words stay."""

    @wraps(method)
    def run(self: Blocking[Resource], /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        return self._shell.run(lambda: method(self._inner, *args, **kwargs))

    return run


def iterate(
    method: Callable[Concatenate[Resource, Parameters], AsyncGenerator[Result, None]],
) -> Callable[Concatenate[Blocking[Resource], Parameters], Generator[Result, None, None]]:
    """Return the method that iterates over an asynchronous one, item by item; its signature and words stay."""

    @wraps(method)
    def run(
        self: Blocking[Resource], /, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Generator[Result, None, None]:
        source = method(self._inner, *args, **kwargs)
        try:
            while (item := self._shell.run(lambda: _take_next(source))) is not _ENDED:
                yield item  # type: ignore[misc]  # the marker of the end never gets here
        finally:
            if not self._shell.is_closed:
                self._shell.run(lambda: _close(source))

    return run


async def _take_next(source: AsyncGenerator[Result, None]) -> Result | object:
    return await anext(source, _ENDED)


async def _close(source: AsyncGenerator[Result, None]) -> None:
    await source.aclose()
