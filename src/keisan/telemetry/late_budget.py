"""How many late samples are taken at a time: history fills up behind the live frames, never before them."""

from collections import OrderedDict
from dataclasses import dataclass, field

from keisan.domain.ids import SiteId
from keisan.domain.limits import LATE_ASKED_S, LATE_SAVED_S
from keisan.telemetry.sample_budget import SampleBudget, SampleRate


@dataclass(slots=True)
class LateBudget:
    """All sites' late frames together have `samples_per_s`, which those that ask share alike.

    A site begins with one frame. A share that is not used may be saved up for LATE_SAVED_S; who has not asked for LATE_ASKED_S,
    and owes nothing, has none. So nobody waits for another's large frame, or for another that asks more often.
    """

    samples_per_s: int
    # The one that asked last stands last.
    _shares: OrderedDict[SiteId, SampleBudget] = field(default_factory=OrderedDict)

    def take(self, site_id: SiteId, samples: int, now_s: float) -> float:
        """Take a frame's samples and return 0, or return after how long to ask again; `now_s` is monotonic."""
        share = self._shares.setdefault(site_id, SampleBudget(left_samples=1, filled_s=now_s))
        self._shares.move_to_end(site_id)
        rate = self.samples_per_s / len(self._shares)
        wait_s = share.find_wait_s(SampleRate(rate, rate * LATE_SAVED_S), now_s)
        if not wait_s:
            share.charge(samples)
        self._forget(now_s, rate)
        return wait_s

    def _forget(self, now_s: float, rate: float) -> None:
        while True:
            site_id, oldest = next(iter(self._shares.items()))
            if now_s - oldest.filled_s < LATE_ASKED_S + max(0.0, -oldest.left_samples) / rate:
                return
            del self._shares[site_id]
