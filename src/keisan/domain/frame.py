"""What becomes of a frame, and what was counted of a site's frames."""

from dataclasses import dataclass
from enum import StrEnum


class FrameOutcome(StrEnum):
    """A live frame is the newest of its site, a late one fills history only; a duplicate changes nothing."""

    LIVE = "live"
    LATE = "late"
    DUPLICATE = "duplicate"


class FrameFault(StrEnum):
    """Why a frame was refused. All are the sender's doing but `postponed`, which it is to send again.

    After `unknown_inventory` and `other_devices` its inventory is to be sent first: the second means that its numbers stand for
    other devices than the platform knows by them.
    """

    MALFORMED = "malformed"
    UNKNOWN_INVENTORY = "unknown_inventory"
    OTHER_DEVICES = "other_devices"
    WRONG_NUMBERS = "wrong_numbers"
    TOO_SMALL = "too_small"
    WRONG_PERIOD = "wrong_period"
    FROM_THE_FUTURE = "from_the_future"
    TOO_LATE = "too_late"
    POSTPONED = "postponed"


@dataclass(frozen=True, slots=True)
class FrameCounts:
    """Since the platform's process began. `values_refused` are values out of their fields' bounds, taken as not known.

    `clock_offset_ms` is how far the site's clock was behind the platform's at its last live frame, the way included.
    """

    outcomes: dict[FrameOutcome, int]
    faults: dict[FrameFault, int]
    values_refused: int
    clock_offset_ms: int
