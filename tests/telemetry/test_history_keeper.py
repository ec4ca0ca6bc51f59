"""The keeper of history: every frame is in every tier once, at every moment and whatever broke off in the middle."""

from datetime import timedelta
from pathlib import Path

import numpy as np

from keisan.domain.history import HOUR_MS, MINUTE_MS, Tier
from keisan.kit.clock import to_milliseconds
from keisan.storage.base_history import JournalFrame
from tests.factories import FixedClock
from tests.storage.history_world import DAY_START, DAY_START_MS, create_frames
from tests.telemetry.history_crash import CrashError, let_crash
from tests.telemetry.history_stage import HistoryStage, check


def test_answers_are_whole_at_every_moment(world: HistoryStage, frames: list[JournalFrame]) -> None:
    world.journal.write(frames)
    world.clock.instant = DAY_START + timedelta(hours=30)
    world.journal.close_due()
    world.keeper.load()
    done = True
    while done:
        done = False
        for step in world.keeper.steps:
            if step.act():
                done = True
                check_folded(world, frames)
    check(world, frames)


def check_folded(world: HistoryStage, frames: list[JournalFrame]) -> None:
    """Assert that all of the windows that are folded is in every tier."""
    taken = world.read_samples()
    windows = {at_ms // (10 * MINUTE_MS) for (*_, at_ms), _ in taken}
    check(world, [each for each in frames if each.head.sampled_at_ms // (10 * MINUTE_MS) in windows])


def test_a_crash_at_any_point_loses_and_doubles_nothing(unsynced: None, tmp_path: Path) -> None:
    source = np.random.default_rng(2)
    frames = list(create_frames(source, 12, device_count=2))
    late = list(create_frames(source, 3, start_ms=DAY_START_MS + 7, site=1, device_count=2))
    at = 0
    while True:
        at += 1
        root = tmp_path / str(at)
        clock = FixedClock(DAY_START + timedelta(days=1, hours=1))
        first = HistoryStage(root, clock)
        first.journal.write(frames)
        first.journal.close()
        count = [0]
        let_crash(first, count, at)
        try:
            first.keep()
            first.journal.write([*late, *frames[:4]])
            first.journal.close()
            first.keep(to_milliseconds(clock.instant) + HOUR_MS)
        except CrashError:
            pass
        second = HistoryStage(root, clock)
        # Sites send again what nobody acknowledged, and more than that.
        second.journal.write([*late, *frames[:4]])
        second.journal.close()
        second.keep(to_milliseconds(clock.instant) + HOUR_MS)
        # Read from the disk again, as a third process would.
        third = HistoryStage(root, clock)
        third.keep()
        check(third, [*frames, *late])
        third.clock.instant += timedelta(hours=5)
        third.keep()
        named = {str(root / "data" / each.name) for tier in Tier for each in third.list_files(tier)}
        assert {str(path) for path in (root / "data").rglob("*.parquet")} >= named
        if count[0] < at:
            break
    assert at > 30
