"""A rate of samples that a frame of any size fits into."""

from dataclasses import dataclass
from math import inf

from keisan.domain.limits import FRAME_DEVICES_MIN


@dataclass(frozen=True, slots=True)
class SampleRate:
    """So many samples a second, and so many at once."""

    samples_per_s: float
    room_samples: float


@dataclass(slots=True)
class SampleBudget:
    """A bucket that may go into debt: while there is anything in it a frame is taken whole, and the next ones wait.

    Over any stretch no more is taken than the rate gives, what the bucket holds, and one frame. It begins full. Times are
    monotonic.
    """

    left_samples: float = inf
    filled_s: float = 0.0

    def find_wait_s(self, rate: SampleRate, now_s: float) -> float:
        """Return after how long something may be taken, 0 for now."""
        filled = self.left_samples + max(0.0, now_s - self.filled_s) * rate.samples_per_s
        self.left_samples, self.filled_s = min(filled, rate.room_samples), now_s
        # A bucket that is just empty has something after a sample's time.
        return 0.0 if self.left_samples > 0 else (1 - self.left_samples) / rate.samples_per_s

    def charge(self, samples: int) -> None:
        """Take a frame's samples. Frames cost more than rows, so a small one counts as one of FRAME_DEVICES_MIN."""
        self.left_samples -= max(samples, FRAME_DEVICES_MIN)
