"""What limits are asked for, smoothed: the relay counts from report to report, and two may be a tenth of a second apart."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, exp

SMOOTHING_S = 10.0
# Less than this was one call, minutes ago.
FORGOTTEN_PER_MINUTE = 0.5


@dataclass(slots=True)
class Demand:
    """Units per minute by limit, each an average in which what is older than SMOOTHING_S weighs less and less."""

    _per_minute: dict[str, float] = field(default_factory=dict)

    def note(self, counted: Mapping[str, int], elapsed_s: float) -> Mapping[str, int]:
        """Take in what was counted per minute in the time since the last note; return what is asked for, rounded up."""
        kept = exp(-max(0.0, elapsed_s) / SMOOTHING_S)
        smoothed = {
            limit_id: self._per_minute.get(limit_id, 0.0) * kept + counted.get(limit_id, 0) * (1 - kept)
            for limit_id in self._per_minute.keys() | counted.keys()
        }
        self._per_minute = {name: rate for name, rate in smoothed.items() if rate >= FORGOTTEN_PER_MINUTE}
        return {name: ceil(rate) for name, rate in self._per_minute.items()}
