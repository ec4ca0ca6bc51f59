"""Which devices of a site count more errors than they were noted with: a reading of its columns, a few array operations."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from keisan.domain.device import DeviceErrors, DeviceTerms
from keisan.domain.sample import FIELD_INDEX, MISSING, SampleName
from keisan.telemetry.site_columns import SiteColumns

_FIELDS = [FIELD_INDEX[SampleName.ECC_UNCORRECTED_COUNT], FIELD_INDEX[SampleName.LINK_ERROR_COUNT]]
Counts = npt.NDArray[np.int32]
NEVER_S = float("-inf")


@dataclass(slots=True)
class NotedErrors:
    """With which counts devices of one inventory were noted, [uncorrected, link] by number, and when by the monotonic clock.

    MISSING is lower than any count: whatever is above its limit then has grown.
    """

    incarnation: str = ""
    counts: Counts = field(default_factory=lambda: np.empty((2, 0), np.int32))
    noted_s: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def find_grown(self, columns: SiteColumns, terms: DeviceTerms, before_s: float) -> Sequence[int]:
        """Return numbers of devices of which a count above its limit has grown; not those that were noted since `before_s`."""
        self._follow(columns)
        now = columns.values[_FIELDS]
        # A counter that was reset grows from there.
        fallen = (now != MISSING) & (now < self.counts)
        self.counts[fallen] = now[fallen]
        limits = np.array([[terms.uncorrected_max], [terms.link_errors_max]])
        grown = ((now > limits) & (now > self.counts)).any(axis=0) & (self.noted_s <= before_s)
        return [int(each) for each in np.flatnonzero(grown & ~columns.inventory.is_retired)]

    def is_known(self, number: int) -> bool:
        """Tell whether a device was noted by this process before."""
        return bool(self.noted_s[number] != NEVER_S)

    def note(self, number: int, errors: DeviceErrors, now_s: float) -> None:
        """Take counts of a device as noted."""
        told = [MISSING if each is None else each for each in (errors.uncorrected_count, errors.link_count)]
        self.counts[:, number] = np.maximum(self.counts[:, number], told)
        self.noted_s[number] = now_s

    def _follow(self, columns: SiteColumns) -> None:
        inventory = columns.inventory
        if self.incarnation != inventory.head.incarnation:
            self.incarnation = inventory.head.incarnation
            self.counts, self.noted_s = np.empty((2, 0), np.int32), np.empty(0)
        missing = inventory.device_count - len(self.noted_s)
        if missing > 0:
            self.counts = np.pad(self.counts, ((0, 0), (0, missing)), constant_values=MISSING)
            self.noted_s = np.pad(self.noted_s, (0, missing), constant_values=NEVER_S)


def read_errors(columns: SiteColumns, number: int) -> DeviceErrors:
    """Return what a device's last samples count."""
    uncorrected, link = (None if each == MISSING else int(each) for each in columns.values[_FIELDS, number])
    return DeviceErrors(uncorrected, link)
