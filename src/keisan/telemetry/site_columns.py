"""The live values of one site's devices: one column a device, keyed by its dense number."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keisan.domain.sample import FIELD_INDEX, HEALTH_CODES, MISSING, SAMPLE_FIELDS, SampleName
from keisan.domain.verdict import Verdict
from keisan.telemetry.group import Table
from keisan.wire.frame import Numbers, Values
from keisan.wire.inventory import Inventory

# After so many periods without a sample nobody knows how a device is.
PERIODS_MISSED_MAX = 3
NEVER_MS = -(2**62)
Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]

_DEAR = tuple(position for position, field in enumerate(SAMPLE_FIELDS) if field.is_dear)
_CHEAP = tuple(position for position, field in enumerate(SAMPLE_FIELDS) if not field.is_dear)
_CHEAP_END = len(_CHEAP)
assert tuple(range(_CHEAP_END)) == _CHEAP


@dataclass(slots=True)
class SiteColumns:
    """`proven_ms` is the moment for which each device's last sample holds, by this process's monotonic clock.

    `gflops` are what the devices can do, [nominal, measured] in 10^9 operations a second, -1 where it is not known.
    `is_retired` are the inventory's, and those that people have retired.
    """

    inventory: Inventory
    gflops: Table
    values: Values
    proven_ms: npt.NDArray[np.int64]
    is_cordoned: Flags
    is_retired: Flags
    period_ms: int = 0

    @classmethod
    def begin(cls, inventory: Inventory, gflops: Table) -> "SiteColumns":
        """Return columns of which nothing is known yet."""
        count = inventory.device_count
        return cls(
            inventory,
            gflops,
            np.full((len(SAMPLE_FIELDS), count), MISSING, np.int32),
            np.full(count, NEVER_MS, np.int64),
            np.zeros(count, np.bool_),
            inventory.is_retired.copy(),
        )

    def keep(self, known: "SiteColumns") -> None:
        """Take over what was known of the same devices; the inventory has grown, or some of it was retired."""
        count = known.inventory.device_count
        self.values[:, :count] = known.values
        self.proven_ms[:count] = known.proven_ms
        self.is_cordoned[:count] = known.is_cordoned
        self.is_retired[:count] |= known.is_retired
        self.gflops[1, :count] = known.gflops[1]
        self.period_ms = known.period_ms

    def take(self, numbers: Numbers, values: Values, sampled_ms: int, period_ms: int) -> None:
        """Write the samples of a frame taken at `sampled_ms`, monotonic. A dear field that is missing stays as it was."""
        place = _find_place(numbers)
        self.values[:_CHEAP_END, place] = values[:_CHEAP_END]
        for position in _DEAR:
            row = values[position]
            if row[0] == MISSING and (row == MISSING).all():
                continue
            known = self.values[position, place]
            self.values[position, place] = np.where(row == MISSING, known, row)
        age_ms = values[FIELD_INDEX[SampleName.AGE_MS]]
        self.proven_ms[place] = sampled_ms - np.where(age_ms == MISSING, 0, age_ms)
        self.period_ms = period_ms

    def find_reporting(self, now_ms: int) -> tuple[Flags, int]:
        """Return which devices have been heard within three periods, and when the next of them will not have been."""
        patience_ms = PERIODS_MISSED_MAX * self.period_ms
        reporting = (self.proven_ms >= now_ms - patience_ms) & ~self.is_retired
        if not reporting.any():
            return reporting, -NEVER_MS
        earliest = int(np.min(self.proven_ms, where=reporting, initial=-NEVER_MS))
        return reporting, earliest + patience_ms + 1

    def judge(self, reporting: Flags) -> Codes:
        """Return each device's verdict as its code; one that does not report, or does not tell, is unknown."""
        health = self.values[FIELD_INDEX[SampleName.HEALTH]]
        return np.where(reporting & (health != MISSING), health, HEALTH_CODES[Verdict.UNKNOWN]).astype(np.int8)


def _find_place(numbers: Numbers) -> slice | Numbers:
    """Return where ascending numbers stand: a slice, which copies several times faster, if none is left out."""
    first, last = int(numbers[0]), int(numbers[-1])
    return slice(first, last + 1) if last - first + 1 == len(numbers) else numbers
