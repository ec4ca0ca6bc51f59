"""Coroutines of the product on virtual time: they pause where a disk would make them wait, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

from tests.simulation.federation.kernel import Kernel

Result = TypeVar("Result")


class Crash(BaseException):
    """The process ends here: nothing that it would have done after this is done, and nobody catches it."""


class Pause:
    """Waits for some virtual milliseconds."""

    __slots__ = ("duration_ms",)

    def __init__(self, duration_ms: int) -> None:
        self.duration_ms = duration_ms

    def __await__(self) -> Generator[Pause, None, None]:
        yield self


class Task:
    """Runs a coroutine until it ends, or is ended."""

    def __init__(
        self, kernel: Kernel, work: Coroutine[Any, None, Result], when_done: Callable[[Result], None] | None = None
    ) -> None:
        self._kernel = kernel
        self._work: Coroutine[Any, None, Result] | None = work
        self._when_done = when_done
        self._is_stepping = False
        self._step()

    @property
    def is_running(self) -> bool:
        return self._work is not None

    def end(self) -> None:
        """End it where it waits; what it has not committed is not committed."""
        work, self._work = self._work, None
        if work is not None and not self._is_stepping:
            work.close()

    def _step(self) -> None:
        if self._work is None:
            return
        self._is_stepping = True
        try:
            pause = self._work.send(None)
        except StopIteration as done:
            self._work = None
            if self._when_done is not None:
                self._when_done(done.value)
            return
        except Crash:
            self._work = None
            return
        finally:
            self._is_stepping = False
        assert isinstance(pause, Pause), "the product waits for something that is not simulated"
        self._kernel.call_in(pause.duration_ms, self._step)


def run_at_once(work: Coroutine[Any, None, Result]) -> Result:
    """Run a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as done:
        result: Result = done.value
        return result
    raise AssertionError("this was to wait for nothing")
