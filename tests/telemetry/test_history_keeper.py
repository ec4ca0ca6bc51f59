"""The keeper of history: every frame is in every tier once, whatever came late, twice, or broke off in the middle."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keisan.domain.history import DAY_MS, HOUR_MS, MINUTE_MS, HistoryTerms, Tier
from keisan.kit.clock import to_milliseconds
from keisan.storage.base_history import JournalFrame
from tests.factories import FixedClock
from tests.storage.history_world import DAY_START, DAY_START_MS, create_frame, create_frames, create_head
from tests.telemetry.history_stage import HistoryStage, check


@pytest.fixture
def world(tmp_path: Path) -> HistoryStage:
    return HistoryStage(tmp_path, FixedClock(DAY_START))


@pytest.fixture
def frames() -> list[JournalFrame]:
    """Return two hours and a half of two sites, the second one with more than a block of devices."""
    source = np.random.default_rng(11)
    return [
        *create_frames(source, 150, start_ms=DAY_START_MS),
        *(
            create_frame(source, create_head(n, DAY_START_MS + n * MINUTE_MS), site=1, device_count=300)
            for n in range(150)
        ),
    ]


def test_each_window_becomes_files_of_every_tier(world: HistoryStage, frames: list[JournalFrame]) -> None:
    world.journal.write(frames)
    world.keep(DAY_START_MS + HOUR_MS)
    # The last window waits for its grace.
    assert len(world.list_files(Tier.SAMPLE)) == 5
    world.keep(DAY_START_MS + HOUR_MS * 3 + 5 * MINUTE_MS)
    check(world, frames)
    assert world.journal.list_closed() == []
    assert {each.tier: each.is_rolled for each in world.list_files(Tier.HOUR)} == {Tier.HOUR: False}
    assert len(world.list_files(Tier.SAMPLE)) == len(world.list_files(Tier.MINUTE)) == 3
    world.keep(DAY_START_MS + DAY_MS + HOUR_MS)
    check(world, frames)
    assert [len(world.list_files(tier)) for tier in (Tier.HOUR, Tier.DAY)] == [1, 1]


def test_answers_are_whole_at_every_moment(world: HistoryStage, frames: list[JournalFrame]) -> None:
    world.journal.write(frames)
    world.clock.instant = DAY_START + timedelta(hours=30)
    world.journal.close_due()
    while world.keeper.work():
        taken = world.read_samples()
        windows = {at_ms // (10 * MINUTE_MS) for (*_, at_ms), _ in taken}
        folded = [each for each in frames if each.head.sampled_at_ms // (10 * MINUTE_MS) in windows]
        check(world, folded)
    check(world, frames)


def test_a_frame_counts_once_however_often_it_comes(world: HistoryStage, frames: list[JournalFrame]) -> None:
    world.journal.write(frames + frames[:20])
    world.keep(DAY_START_MS + HOUR_MS)
    world.journal.write(frames[30:40])
    world.keep(DAY_START_MS + 4 * HOUR_MS)
    world.journal.write(frames[:200])
    world.keep(DAY_START_MS + 5 * HOUR_MS)
    check(world, frames)
    assert world.keeper.counts.duplicate_frames == 230
    assert world.keeper.counts.folded_frames == len(frames)


def test_frames_of_an_hour_that_is_over_are_added_to_every_tier(
    world: HistoryStage, frames: list[JournalFrame]
) -> None:
    late = [each for place, each in enumerate(frames) if place % 3 == 0]
    world.journal.write([each for place, each in enumerate(frames) if place % 3])
    world.keep(DAY_START_MS + DAY_MS + HOUR_MS)
    for start in range(0, len(late), 20):
        world.journal.write(late[start : start + 20])
        world.keep(to_milliseconds(world.clock.instant) + 5 * MINUTE_MS)
    check(world, frames)
    world.keep(DAY_START_MS + DAY_MS + 12 * HOUR_MS)
    check(world, frames)
    # What came in many pieces lies in few.
    assert len(world.list_files(Tier.SAMPLE)) < 3 * 4
    assert len(world.list_files(Tier.DAY)) < 4


def test_a_sequence_of_another_incarnation_is_another_frame(world: HistoryStage) -> None:
    source = np.random.default_rng(5)
    frames = [create_frame(source, create_head(1, DAY_START_MS + n, incarnation=str(n))) for n in range(3)]
    world.journal.write(frames)
    world.keep(DAY_START_MS + HOUR_MS)
    check(world, frames)


class CrashError(BaseException):
    """The process ends here."""


def crash_at(target: object, names: Mapping[str, bool], count: list[int], at: int) -> None:
    """Let the `at`-th of all calls that change the disk be the last: before it is done, or right after."""
    for name in names:
        usual: Callable[..., Any] = getattr(target, name)

        def call(*arguments: Any, usual: Callable[..., Any] = usual, **options: Any) -> Any:
            count[0] += 1
            if count[0] == at:
                raise CrashError
            found = usual(*arguments, **options)
            count[0] += 1
            if count[0] == at:
                raise CrashError
            return found

        object.__setattr__(target, name, call)


EFFECTS = {
    "store": {"put_manifest": True, "put_file": True, "open_file": True, "remove": True},
    "seen": {"add": True},
    "journal": {"remove": True},
}


class Open:
    """Passes on to an object with slots, so that calls can be replaced."""

    def __init__(self, inner: object) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def let_crash(stage: HistoryStage, count: list[int], at: int) -> None:
    for name, effects in EFFECTS.items():
        opened = Open(getattr(stage.keeper, name))
        crash_at(opened, effects, count, at)
        setattr(stage.keeper, name, opened)


def test_a_crash_while_a_window_is_folded_doubles_no_sample(tmp_path: Path) -> None:
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


def test_a_crash_at_any_point_loses_and_doubles_nothing(tmp_path: Path) -> None:
    source = np.random.default_rng(2)
    frames = list(create_frames(source, 90, device_count=3))
    late = list(create_frames(source, 5, start_ms=DAY_START_MS + 7, site=1, device_count=3))
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
            first.journal.write([*late, *frames[:9]])
            first.journal.close()
            first.keep(to_milliseconds(clock.instant) + HOUR_MS)
        except CrashError:
            pass
        second = HistoryStage(root, clock)
        # Sites send again what nobody acknowledged, and more than that.
        second.journal.write([*late, *frames[:9]])
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
    assert at > 40


def test_what_a_crash_left_is_swept(world: HistoryStage, frames: list[JournalFrame]) -> None:
    world.journal.write(frames[:10])
    world.keep(DAY_START_MS + HOUR_MS)
    left = world.root / "data" / "sample" / "day=2026-11-26" / "region=CN-SX" / "left.parquet"
    left.write_bytes(b"x")
    # Files are stamped by the machine's clock.
    world.clock.instant = world.clock.instant + timedelta(days=3650)
    again = HistoryStage(world.root, world.clock, HistoryTerms(9999, 9999, 9999))
    again.keep()
    assert not left.exists()
    assert len(again.list_files(Tier.SAMPLE)) == 1
    check(again, frames[:10])
