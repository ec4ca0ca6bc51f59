"""How many late samples are taken at a time: history fills up behind the live frames, never before them."""

from dataclasses import dataclass
from math import inf


@dataclass(slots=True)
class LateBudget:
    """A bucket that fills at `samples_per_s` and holds one second's worth, or the largest frame; it begins full."""

    samples_per_s: int
    room_samples: int
    left_samples: float = inf
    asked_s: float = 0.0

    def take(self, samples: int, now_s: float) -> bool:
        """Take a frame's samples if there is room for them now; `now_s` is monotonic."""
        filled = self.left_samples + (now_s - self.asked_s) * self.samples_per_s
        self.left_samples = min(filled, float(max(self.samples_per_s, self.room_samples)))
        self.asked_s = now_s
        if samples > self.left_samples:
            return False
        self.left_samples -= samples
        return True
