"""Waiting times between tries: exponential, capped, with jitter that is drawn from a given random source."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Backoff:
    """`first_s` x `factor` per try, at most `most_s`; each wait is drawn from the upper half of that span."""

    first_s: float = 0.2
    factor: float = 2.0
    most_s: float = 30.0

    def compute_wait_s(self, attempt: int, random: Random) -> float:
        """Return the wait before try number `attempt` (1 is the first repeat), in seconds."""
        # The exponent is capped because 2.0 ** 1024 overflows; the cap is far beyond most_s.
        span_s = min(self.most_s, self.first_s * self.factor ** min(max(attempt - 1, 0), 64))
        return span_s * (0.5 + 0.5 * random.random())
