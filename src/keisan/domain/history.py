"""History: samples kept beyond their moment, in tiers of coarser steps, within terms of age and of disk space."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from keisan.domain.ids import SiteId

MS_PER_S: Final = 1000
MINUTE_MS: Final = 60 * MS_PER_S
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
# Samples of a window are folded into files together: ten minutes of a million devices are 1.2 GB of journal.
WINDOW_MS: Final = 10 * MINUTE_MS
# For how long after a window's end its frames are awaited before it is folded; later ones are folded in afterwards.
WINDOW_GRACE_MS: Final = 30 * MS_PER_S
# For how long after it was sampled a frame is still taken, and how far a site's clock may be ahead.
FRAME_LATE_MS_MAX: Final = 7 * DAY_MS
FRAME_EARLY_MS_MAX: Final = 10 * MINUTE_MS
# What is taken and not yet written is lost if the process dies; what is written and not yet synced, if the power fails.
JOURNAL_WRITE_S: Final = 0.25
JOURNAL_SYNC_S: Final = 1.0
JOURNAL_QUEUE_BYTES_MAX: Final = 256 * 1024 * 1024
JOURNAL_FILES_OPEN_MAX: Final = 256
# How long a file of a window that is over takes late frames before it is folded.
JOURNAL_LATE_S: Final = 60.0
# How long after an hour's or a day's end it is rolled up, and how long a late file waits for others of its hour.
ROLL_GRACE_MS: Final = 2 * MINUTE_MS
ROLL_LATE_MS: Final = 10 * MINUTE_MS
ROLL_LATE_FILES: Final = 6
MERGE_FILES: Final = 4
# Until so long after its end a window is on time, and folded before late ones; so many of each at a time.
ON_TIME_MS: Final = 2 * HOUR_MS
FOLDS_AT_ONCE: Final = 8
# Of one site: how many inventories are kept, and what they may take beside its newest; how many wait to be kept.
INVENTORIES_SITE_MAX: Final = 64
INVENTORIES_SITE_BYTES_MAX: Final = 16 * 1024**2
INVENTORIES_WAITING_SITE_MAX: Final = 4
# Samples that are brought into order at a time: 100 bytes each.
FOLD_ROWS_MAX: Final = 1_000_000
# How long a replaced file is kept for its readers, and an unlisted one because it may be about to be listed.
FILE_KEPT_S: Final = 120
LEFTOVER_KEPT_S: Final = 2 * 3600
KEEP_LOOK_S: Final = 5.0
SWEEP_INTERVAL_S: Final = 3600
QUERY_TIMEOUT_S: Final = 60
QUERY_ROWS_MAX: Final = 50_000
assert QUERY_TIMEOUT_S < FILE_KEPT_S
assert HOUR_MS % WINDOW_MS == 0


class Tier(StrEnum):
    """How fine the steps of kept values are, the finest first: as sampled, then each step's roll-up.

    SITE_HOUR has the hours of all devices of a site as one row, without counters: what a nation's years are summed from.
    """

    SAMPLE = "sample"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    SITE_HOUR = "site_hour"


# Those with a row for each device, the finest first.
DEVICE_TIERS: Final = (Tier.SAMPLE, Tier.MINUTE, Tier.HOUR, Tier.DAY)
STEPS_MS: Final = {Tier.MINUTE: MINUTE_MS, Tier.HOUR: HOUR_MS, Tier.DAY: DAY_MS, Tier.SITE_HOUR: HOUR_MS}
# Files of a tier are merged within so much time.
SPANS_MS: Final = {
    Tier.SAMPLE: HOUR_MS,
    Tier.MINUTE: HOUR_MS,
    Tier.HOUR: DAY_MS,
    Tier.DAY: DAY_MS,
    Tier.SITE_HOUR: DAY_MS,
}


@dataclass(frozen=True, slots=True)
class HistoryTerms:
    """For how long each tier is kept, in days, days' and sites' own for ever; and what all may take of the disk."""

    sample_days: int = 2
    minute_days: int = 30
    hour_days: int = 5 * 365 + 1
    disk_bytes_max: int = 20 * 1024**3

    def find_kept_ms(self, tier: Tier) -> int | None:
        """Return for how long a tier is kept, None for ever."""
        days = {Tier.SAMPLE: self.sample_days, Tier.MINUTE: self.minute_days, Tier.HOUR: self.hour_days}
        return days[tier] * DAY_MS if tier in days else None


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """Ten minutes of one region; `start_ms` is a multiple of WINDOW_MS."""

    region: str
    start_ms: int

    @property
    def end_ms(self) -> int:
        """Return the first instant after it."""
        return self.start_ms + WINDOW_MS

    @property
    def month(self) -> "Month":
        """Return its month."""
        return Month(self.region, name_day(self.start_ms)[:7])


def find_window(region: str, at_ms: int) -> Window:
    """Return the window that an instant falls in."""
    return Window(region, at_ms // WINDOW_MS * WINDOW_MS)


def name_day(at_ms: int) -> str:
    """Return an instant's day, in UTC, as YYYY-MM-DD."""
    return datetime.fromtimestamp(at_ms // MS_PER_S, UTC).date().isoformat()


@dataclass(frozen=True, slots=True)
class FrameOrigin:
    """Where a frame came from: what the platform knows of it beside what it says of itself."""

    site_id: SiteId
    region: str


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A region's calendar month, in UTC, as YYYY-MM."""

    region: str
    month: str


@dataclass(frozen=True, slots=True)
class HistoryFile:
    """One file: rows of one tier, region and day, stamped from `start_ms` to before `until_ms`.

    `name` is its path within the store. Once `is_rolled` its rows are in the coarser tiers too.
    """

    name: str
    tier: Tier
    start_ms: int
    until_ms: int
    row_count: int
    size_bytes: int
    created_ms: int
    is_rolled: bool = False


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files of a region's month: what is not listed is in no answer. Replaced whole; `version` counts up.

    `folded` names journal files whose frames are in the listed files, until they are gone from the journal.
    """

    month: Month
    version: int = 0
    files: tuple[HistoryFile, ...] = ()
    folded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SequenceRanges:
    """Sequences as ranges (first, last), in order and apart: mostly one."""

    ranges: tuple[tuple[int, int], ...] = ()

    def __contains__(self, sequence: int) -> bool:
        return any(first <= sequence <= last for first, last in self.ranges)

    def add(self, sequences: Iterable[tuple[int, int]]) -> "SequenceRanges":
        """Return these and others together."""
        joined: list[tuple[int, int]] = []
        for first, last in sorted([*self.ranges, *sequences]):
            if joined and first <= joined[-1][1] + 1:
                joined[-1] = (joined[-1][0], max(joined[-1][1], last))
            else:
                joined.append((first, last))
        return SequenceRanges(tuple(joined))


@dataclass(frozen=True, slots=True)
class InventoryNote:
    """What is told of an inventory that is kept beside the files; `device_count` is without devices that are gone.

    `size_bytes` is what it takes, 0 until it is kept.
    """

    site: str
    region: str
    incarnation: str
    version: int
    device_count: int
    received_ms: int
    size_bytes: int = 0
