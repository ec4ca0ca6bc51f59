"""History: samples kept beyond their moment, in tiers of coarser steps, within terms of age and of disk space."""

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
assert HOUR_MS % WINDOW_MS == 0


class Tier(StrEnum):
    """How fine the steps of kept values are, the finest first: as sampled, then each step's roll-up."""

    SAMPLE = "sample"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """Ten minutes of one region; `start_ms` is a multiple of WINDOW_MS."""

    region: str
    start_ms: int

    @property
    def day(self) -> str:
        """Return its day, in UTC, as YYYY-MM-DD."""
        return name_day(self.start_ms)


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
