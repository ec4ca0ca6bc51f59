"""Waiting gives up only after a look that began when the time was over, however long the one before took."""

from dataclasses import dataclass

import pytest

from tests import deadline
from tests.deadline import wait_until, wait_until_async

DEADLINE_S = 30.0


@dataclass
class StandingClock:
    """A clock that goes only when it is told to."""

    now_s: float = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, duration_s: float) -> None:
        self.now_s += duration_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> StandingClock:
    standing = StandingClock()
    monkeypatch.setattr(deadline, "time", standing)
    return standing


@dataclass
class Stalled:
    """What is looked at by a process that stands still in its first look for longer than it may wait."""

    clock: StandingClock
    met_at_look: int
    looks: int = 0

    def is_met(self) -> bool:
        self.looks += 1
        if self.looks == 1:
            self.clock.sleep(2 * DEADLINE_S)
        return self.looks == self.met_at_look


async def test_what_came_true_while_the_process_stood_still_is_seen(clock: StandingClock) -> None:
    wait_until(Stalled(clock, met_at_look=2).is_met, "it is met", DEADLINE_S)
    await wait_until_async(Stalled(clock, met_at_look=2).is_met, "it is met", DEADLINE_S)


async def test_one_look_after_the_end_is_the_last(clock: StandingClock) -> None:
    both = Stalled(clock, met_at_look=3), Stalled(clock, met_at_look=3)
    with pytest.raises(AssertionError, match=r"not within 30.0 s: it is met"):
        wait_until(both[0].is_met, "it is met", DEADLINE_S)
    with pytest.raises(AssertionError, match=r"not within 30.0 s: it is met"):
        await wait_until_async(both[1].is_met, "it is met", DEADLINE_S)
    assert [each.looks for each in both] == [2, 2]
