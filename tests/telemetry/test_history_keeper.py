"""The keeper of history: every frame is in every tier once, whatever came late, twice, or broke off in the middle."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keisan.domain.history import DAY_MS, HOUR_MS, MINUTE_MS, STEPS_MS, HistoryFile, HistoryTerms, Tier
from keisan.domain.sample import FIELD_INDEX, MISSING, SampleName
from keisan.kit.clock import from_milliseconds, to_milliseconds
from keisan.storage.base_history import Block, JournalFrame
from keisan.storage.history_journal import Journal
from keisan.storage.history_seen import SeenFolder
from keisan.storage.history_store import HistoryFileStore, open_folder
from keisan.telemetry.history_keeper import HistoryKeeper
from keisan.telemetry.rule_history import choose_files
from tests.factories import FixedClock
from tests.storage.history_world import DAY_START, DAY_START_MS, create_frame, create_frames, create_head

POWER = SampleName.POWER_MILLIWATTS
Row = tuple[str, str, int, int]


@dataclass
class World:
    """A keeper on a folder, as a process has it."""

    root: Path
    clock: FixedClock
    terms: HistoryTerms = HistoryTerms()  # noqa: RUF009  # frozen

    def __post_init__(self) -> None:
        self.journal = Journal(self.root / "journal", self.clock)
        store = HistoryFileStore(open_folder(self.root / "data"), self.root / "work")
        self.keeper = HistoryKeeper(store, self.journal, SeenFolder(self.root / "seen"), self.clock, self.terms)
        self.store = store

    def keep(self, at_ms: int | None = None) -> None:
        """Work until there is nothing left to do at an instant."""
        if at_ms is not None:
            self.clock.instant = from_milliseconds(at_ms)
        while self.keeper.work():
            pass

    def list_files(self, tier: Tier) -> list[HistoryFile]:
        return [each for manifest in self.keeper.manifests.values() for each in manifest.files if each.tier is tier]

    def read(self, files: Iterable[HistoryFile]) -> Iterator[Block]:
        for each in files:
            yield from self.store.read_blocks(each)

    def read_samples(self) -> list[tuple[Row, int]]:
        files = self.list_files(Tier.SAMPLE)
        return sorted(
            ((block.key.site, block.key.incarnation, int(number), int(at)), int(power))
            for block in self.read(files)
            for number, at, power in zip(block.numbers, block.at_ms, block.columns[POWER], strict=True)
        )

    def sum_tier(self, tier: Tier) -> Mapping[Row, tuple[int, int]]:
        """Return samples and power of each device and step, of all that the tier has and finer ones still hold for it."""
        step_ms = STEPS_MS[tier]
        sums: Counter[Row] = Counter()
        counts: Counter[Row] = Counter()
        every = [each for manifest in self.keeper.manifests.values() for each in manifest.files]
        for file in choose_files(every, tier):
            for block in self.store.read_blocks(file):
                is_raw = file.tier is Tier.SAMPLE
                power = block.columns[POWER if is_raw else f"{POWER}_sum"].astype(np.int64)
                power = np.where(power == MISSING, 0, power) if is_raw else power
                count = np.ones(len(block), np.int64) if is_raw else block.columns["sample_count"]
                for place in range(len(block)):
                    key = (block.key.site, block.key.incarnation, int(block.numbers[place]))
                    row = (*key, int(block.at_ms[place]) // step_ms * step_ms)
                    sums[row] += int(power[place])
                    counts[row] += int(count[place])
        return {row: (counts[row], sums[row]) for row in counts}


def expect_samples(frames: Iterable[JournalFrame]) -> list[tuple[Row, int]]:
    return sorted(
        ((str(frame.origin.site_id), frame.head.incarnation, int(number), frame.head.sampled_at_ms), int(power))
        for frame in frames
        for number, power in zip(frame.numbers, frame.values[FIELD_INDEX[POWER]], strict=True)
    )


def expect_tier(frames: Iterable[JournalFrame], tier: Tier) -> Mapping[Row, tuple[int, int]]:
    found: dict[Row, tuple[int, int]] = {}
    for (site, incarnation, number, at_ms), power in expect_samples(frames):
        row = (site, incarnation, number, at_ms // STEPS_MS[tier] * STEPS_MS[tier])
        count, total = found.get(row, (0, 0))
        found[row] = (count + 1, total + (0 if power == MISSING else power))
    return found


def check(world: World, frames: list[JournalFrame]) -> None:
    assert world.read_samples() == expect_samples(frames)
    for tier in STEPS_MS:
        assert world.sum_tier(tier) == expect_tier(frames, tier)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, FixedClock(DAY_START))


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


def test_each_window_becomes_files_of_every_tier(world: World, frames: list[JournalFrame]) -> None:
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


def test_answers_are_whole_at_every_moment(world: World, frames: list[JournalFrame]) -> None:
    world.journal.write(frames)
    world.clock.instant = DAY_START + timedelta(hours=30)
    world.journal.close_due()
    while world.keeper.work():
        taken = world.read_samples()
        windows = {at_ms // (10 * MINUTE_MS) for (*_, at_ms), _ in taken}
        folded = [each for each in frames if each.head.sampled_at_ms // (10 * MINUTE_MS) in windows]
        check(world, folded)
    check(world, frames)


def test_a_frame_counts_once_however_often_it_comes(world: World, frames: list[JournalFrame]) -> None:
    world.journal.write(frames + frames[:20])
    world.keep(DAY_START_MS + HOUR_MS)
    world.journal.write(frames[30:40])
    world.keep(DAY_START_MS + 4 * HOUR_MS)
    world.journal.write(frames[:200])
    world.keep(DAY_START_MS + 5 * HOUR_MS)
    check(world, frames)
    assert world.keeper.counts.duplicate_frames == 230
    assert world.keeper.counts.folded_frames == len(frames)


def test_frames_of_an_hour_that_is_over_are_added_to_every_tier(world: World, frames: list[JournalFrame]) -> None:
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


def test_a_sequence_of_another_incarnation_is_another_frame(world: World) -> None:
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


def test_a_crash_at_any_point_loses_and_doubles_nothing(tmp_path: Path) -> None:
    source = np.random.default_rng(2)
    frames = list(create_frames(source, 90, device_count=3))
    late = list(create_frames(source, 5, start_ms=DAY_START_MS + 7, site=1, device_count=3))
    at = 0
    while True:
        at += 1
        root = tmp_path / str(at)
        clock = FixedClock(DAY_START + timedelta(days=1, hours=1))
        first = World(root, clock)
        first.journal.write(frames)
        first.journal.close()
        count = [0]
        for name, effects in EFFECTS.items():
            opened = Open(getattr(first.keeper, name))
            crash_at(opened, effects, count, at)
            setattr(first.keeper, name, opened)
        try:
            first.keep()
            first.journal.write([*late, *frames[:9]])
            first.journal.close()
            first.keep(to_milliseconds(clock.instant) + HOUR_MS)
        except CrashError:
            pass
        second = World(root, clock)
        # Sites send again what nobody acknowledged, and more than that.
        second.journal.write([*late, *frames[:9]])
        second.journal.close()
        second.keep(to_milliseconds(clock.instant) + HOUR_MS)
        # Read from the disk again, as a third process would.
        third = World(root, clock)
        third.keep()
        check(third, [*frames, *late])
        third.clock.instant += timedelta(hours=5)
        third.keep()
        named = {str(root / "data" / each.name) for tier in Tier for each in third.list_files(tier)}
        assert {str(path) for path in (root / "data").rglob("*.parquet")} >= named
        if count[0] < at:
            break
    assert at > 40


def test_what_a_crash_left_is_swept(world: World, frames: list[JournalFrame]) -> None:
    world.journal.write(frames[:10])
    world.keep(DAY_START_MS + HOUR_MS)
    left = world.root / "data" / "sample" / "day=2026-11-26" / "region=CN-SX" / "left.parquet"
    left.write_bytes(b"x")
    # Files are stamped by the machine's clock.
    world.clock.instant = replace(FixedClock(), instant=world.clock.instant).instant + timedelta(days=3650)
    again = World(world.root, world.clock, HistoryTerms(9999, 9999, 9999))
    again.keep()
    assert not left.exists()
    assert len(again.list_files(Tier.SAMPLE)) == 1
    check(again, frames[:10])
