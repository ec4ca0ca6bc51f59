"""Readings of a driver: one at a time, awaited for a bounded time, and whatever is raised comes back as what it is."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from keisan.agent.driver_thread import DriverThread
from keisan.domain.errors import DevicesUnreadable
from tests.deadline import wait_until_async


def fail(failure: BaseException) -> Callable[[], int]:
    def read() -> int:
        raise failure

    return read


async def test_it_returns_what_is_found() -> None:
    thread: DriverThread[int] = DriverThread()
    assert [await thread.read(lambda: 1, 5), await thread.read(lambda: 2, 5)] == [1, 2]


@pytest.mark.parametrize("failure", [KeyError("x"), SystemExit(3), KeyboardInterrupt(), MemoryError()], ids=repr)
async def test_whatever_is_raised_makes_it_unreadable_and_says_what_it_was(failure: BaseException) -> None:
    thread: DriverThread[int] = DriverThread()
    with pytest.raises(DevicesUnreadable) as caught:
        await thread.read(fail(failure), 5)
    assert (type(failure).__name__ in caught.value.outside, caught.value.inside) == (True, repr(failure))
    assert await thread.read(lambda: 1, 5) == 1


async def test_what_a_driver_says_of_itself_is_passed_on() -> None:
    said = DevicesUnreadable("the tool hangs")
    with pytest.raises(DevicesUnreadable) as caught:
        await DriverThread[int]().read(fail(said), 5)
    assert caught.value is said


async def test_one_that_hangs_is_left_alone_and_not_asked_again() -> None:
    thread: DriverThread[int] = DriverThread()
    free, asked = threading.Event(), []

    def hang() -> int:
        asked.append(1)
        free.wait(30)
        return 1

    with pytest.raises(DevicesUnreadable, match="did not answer within"):
        await thread.read(hang, 0.05)
    for _ in range(3):
        with pytest.raises(DevicesUnreadable, match="has hung"):
            await thread.read(hang, 0.05)
    await wait_until_async(lambda: bool(asked), "it is asked")
    assert (len(asked), thread.is_busy, thread.take()) == (1, True, None)
    free.set()
    await wait_until_async(lambda: not thread.is_busy, "it answers")
    # What it found is too old for who asked: it is read anew.
    assert await thread.read(lambda: 2, 5) == 2


def test_one_that_answers_after_the_agent_has_left_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    free, before = threading.Event(), frozenset(threading.enumerate())

    async def leave() -> None:
        with pytest.raises(DevicesUnreadable):
            await DriverThread[bool]().read(lambda: free.wait(30), 0.05)

    asyncio.run(leave())
    [waiting] = [thread for thread in threading.enumerate() if thread.name == "driver" and thread not in before]
    assert waiting.daemon
    free.set()
    waiting.join(10)
    assert before.issuperset(threading.enumerate())
    assert not caplog.records
