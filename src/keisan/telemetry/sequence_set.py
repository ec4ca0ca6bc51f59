"""Which numbers of a sequence have been seen, as the ranges between gaps."""

from bisect import bisect_right
from dataclasses import dataclass, field

from keisan.domain.limits import FRAME_GAPS_MAX


@dataclass(slots=True)
class SequenceSet:
    """Disjoint ranges, ascending, ends included. Beyond FRAME_GAPS_MAX of them the oldest gap counts as seen."""

    firsts: list[int] = field(default_factory=list)
    lasts: list[int] = field(default_factory=list)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self.firsts, number) - 1
        return at >= 0 and number <= self.lasts[at]

    @property
    def newest(self) -> int:
        """The greatest number that was seen, -1 before the first."""
        return self.lasts[-1] if self.lasts else -1

    def add(self, number: int) -> None:
        """See a number; a second time changes nothing."""
        if number in self:
            return
        at = bisect_right(self.firsts, number)
        joins_left = at > 0 and self.lasts[at - 1] == number - 1
        joins_right = at < len(self.firsts) and self.firsts[at] == number + 1
        if joins_left and joins_right:
            self.lasts[at - 1] = self.lasts.pop(at)
            self.firsts.pop(at)
        elif joins_left:
            self.lasts[at - 1] = number
        elif joins_right:
            self.firsts[at] = number
        else:
            self.firsts.insert(at, number)
            self.lasts.insert(at, number)
            self._close_oldest_gap()

    def _close_oldest_gap(self) -> None:
        if len(self.firsts) > FRAME_GAPS_MAX:
            self.firsts.pop(1)
            self.lasts.pop(0)
