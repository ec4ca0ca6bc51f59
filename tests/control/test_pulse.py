"""One look at the database for all that wait: as many as ask, no more often than it may, and nothing is missed."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from keisan.control.context import Control
from keisan.control.pulse import LOOK_EVERY_S, Beat, Pulse
from keisan.domain.errors import StorageUnavailable
from keisan.domain.lease import WorkNoun
from keisan.domain.snapshot import SnapshotTable
from keisan.kit.ids import create_id
from keisan.storage.snapshot import SnapshotRepository
from tests.control.test_lease import FIRST, SECOND, CountingClock, Scripted, build_loop, put
from tests.factories import FixedClock


class CountingPulse(Pulse):
    """A pulse that counts how often the database was asked."""

    looks = 0
    _last: object = None

    async def look(self) -> Beat:
        beat = await super().look()
        self.looks += beat is not self._last
        self._last = beat
        return beat


async def test_look_is_kept_for_a_while_and_then_taken_anew(control: Control, clock: FixedClock) -> None:
    pulse = CountingPulse(control)
    first = await pulse.look()
    assert first.due == frozenset()
    await put(control, FIRST)
    async with control.storage.write() as transaction:
        await transaction.snapshot.touch(SnapshotTable.KEYS, [create_id()])
    assert (await asyncio.gather(*(pulse.look() for _ in range(5)))) == [first] * 5
    clock.instant += timedelta(seconds=LOOK_EVERY_S)
    second = await pulse.look()
    assert (second.due, second.mark.version) == (frozenset({WorkNoun.DEPLOYMENT}), first.mark.version + 1)
    assert pulse.looks == 2


async def test_database_that_does_not_answer_is_asked_again(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    pulse, get_mark = Pulse(control), SnapshotRepository.get_mark

    async def fail(_: SnapshotRepository) -> None:
        raise StorageUnavailable("gone")

    monkeypatch.setattr(SnapshotRepository, "get_mark", fail)
    with pytest.raises(StorageUnavailable):
        await pulse.look()
    monkeypatch.setattr(SnapshotRepository, "get_mark", get_mark)
    assert (await pulse.look()).due == frozenset()


async def test_loops_of_one_pulse_ask_once_and_still_work_at_once(control: Control) -> None:
    clock, scripted, idle = CountingClock(), Scripted(), Scripted()
    control = replace(control, clock=clock)
    pulse = CountingPulse(control)
    loops = [replace(build_loop(control, each), pulse=pulse) for each in (scripted, idle)]
    other = replace(loops[1], reconcilers={WorkNoun.SITE: idle})
    await put(control, FIRST)
    async with asyncio.timeout(30):
        await loops[0].run(clock.stop)
    assert scripted.applied == [FIRST]
    assert not await pulse.is_due(other.reconcilers)
    looks = pulse.looks
    clock.stop.clear()
    clock.waits_s.clear()
    await put(control, SECOND, noun=WorkNoun.SITE)
    async with asyncio.timeout(30):
        await asyncio.gather(loops[0].run(clock.stop), other.run(clock.stop))
    assert idle.applied == [SECOND]
    assert pulse.looks - looks <= 4
