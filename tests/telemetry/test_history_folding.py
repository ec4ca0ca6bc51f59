"""Folding: a frame counts once, however often it comes and whatever broke off."""

from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import numpy as np

from keisan.domain.history import HOUR_MS, Tier
from keisan.storage.base_history import JournalFrame
from tests.factories import FixedClock
from tests.storage.history_world import DAY_START, DAY_START_MS, create_frame, create_frames, create_head
from tests.telemetry.history_crash import CrashError, let_crash
from tests.telemetry.history_stage import HistoryStage, check


def test_a_frame_counts_once_however_often_it_comes(world: HistoryStage, frames: list[JournalFrame]) -> None:
    world.journal.write(frames + frames[:20])
    world.keep(DAY_START_MS + HOUR_MS)
    world.journal.write(frames[30:40])
    world.keep(DAY_START_MS + 4 * HOUR_MS)
    world.journal.write(frames[:170])
    world.keep(DAY_START_MS + 5 * HOUR_MS)
    check(world, frames)
    assert world.keeper.counts.duplicate_frames == 200
    assert world.keeper.counts.folded_frames == len(frames)


def test_a_sequence_of_another_incarnation_is_another_frame(world: HistoryStage) -> None:
    source = np.random.default_rng(5)
    frames = [create_frame(source, create_head(1, DAY_START_MS + n, incarnation=str(n))) for n in range(3)]
    world.journal.write(frames)
    world.keep(DAY_START_MS + HOUR_MS)
    check(world, frames)


def test_a_crash_while_a_window_is_folded_doubles_no_sample(unsynced: None, tmp_path: Path) -> None:
    """Before an hour is rolled up nothing else would notice: rows of the same moment are joined only then."""
    frames = list(create_frames(np.random.default_rng(2), 90, device_count=3))
    count = [0]
    for at in range(1, 30):
        clock = FixedClock(DAY_START + timedelta(minutes=30))
        first = HistoryStage(tmp_path / str(at), clock)
        first.journal.write(frames)
        first.journal.close()
        count = [0]
        let_crash(first, count, at)
        with suppress(CrashError):
            first.keep()
        second = HistoryStage(tmp_path / str(at), clock)
        second.keep()
        check(second, frames)
        assert not any(each.is_rolled for each in second.list_files(Tier.SAMPLE))
    assert 10 < count[0] < at
