"""A keeper of history on a place, as a process has it, and what its tiers should hold of some frames."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from keisan.domain.history import STEPS_MS, HistoryFile, HistoryTerms, Tier
from keisan.domain.sample import FIELD_INDEX, MISSING, SampleName
from keisan.kit.clock import from_milliseconds
from keisan.storage.base_history import Block, JournalFrame
from keisan.storage.history_journal import Journal
from keisan.storage.history_seen import SeenFolder
from keisan.storage.history_store import HistoryFileStore, HistoryPlace, open_folder
from keisan.telemetry.history_keeper import HistoryKeeper
from keisan.telemetry.rule_history import choose_files
from tests.factories import FixedClock

POWER = SampleName.POWER_MILLIWATTS
Row = tuple[str, str, int, int]


@dataclass
class HistoryStage:
    """A keeper on a folder, as a process has it."""

    root: Path
    clock: FixedClock
    terms: HistoryTerms = field(default_factory=HistoryTerms)
    place: HistoryPlace | None = None

    def __post_init__(self) -> None:
        self.journal = Journal(self.root / "journal", self.clock)
        store = HistoryFileStore(self.place or open_folder(self.root / "data"), self.root / "work")
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
                    number = 0 if tier is Tier.SITE_HOUR else int(block.numbers[place])
                    key = (block.key.site, block.key.incarnation, number)
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
        row = (site, incarnation, 0 if tier is Tier.SITE_HOUR else number, at_ms // STEPS_MS[tier] * STEPS_MS[tier])
        count, total = found.get(row, (0, 0))
        found[row] = (count + 1, total + (0 if power == MISSING else power))
    return found


def check(world: HistoryStage, frames: list[JournalFrame]) -> None:
    assert world.read_samples() == expect_samples(frames)
    for tier in STEPS_MS:
        assert world.sum_tier(tier) == expect_tier(frames, tier)
