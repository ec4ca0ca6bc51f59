"""History's part of the storage contract: the journal of accepted frames.

Kept apart from base.py for its length only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from keisan.domain.history import FrameOrigin, Window, find_window
from keisan.domain.sample import FrameHead
from keisan.wire.frame import Numbers, Values


@dataclass(frozen=True, slots=True)
class JournalFrame:
    """A frame that was accepted; `values` is [fields, devices] in the order of SampleName, MISSING where not known."""

    origin: FrameOrigin
    head: FrameHead
    numbers: Numbers
    values: Values

    @property
    def window(self) -> Window:
        """Return the window that it belongs to."""
        return find_window(self.origin.region, self.head.sampled_at_ms)

    @property
    def size_bytes(self) -> int:
        """Return how much memory its columns take."""
        return int(self.numbers.nbytes + self.values.nbytes)


class FrameJournal(Protocol):
    """Where frames are on the disk until their window is folded into files. Its calls block: they belong in a thread."""

    def write(self, frames: Sequence[JournalFrame]) -> int:
        """Append frames and return how many bytes they took; raises OSError, and then keeps none of the one that failed."""
        ...

    def sync(self) -> None:
        """Return once all that was appended is on the disk; raises OSError."""
        ...
