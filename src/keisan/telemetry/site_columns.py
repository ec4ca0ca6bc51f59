"""The live values of one site's devices: one column a device, keyed by its dense number."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keisan.domain.sample import DEAR_EVERY_MAX, FIELD_INDEX, HEALTH_CODES, MISSING, SAMPLE_FIELDS, SampleName
from keisan.domain.verdict import Verdict
from keisan.telemetry.group import Table
from keisan.wire.frame import Numbers, Values
from keisan.wire.inventory import Inventory

# After so many periods without a sample nobody knows how a device is, and after so many of its own what a dear value is.
PERIODS_MISSED_MAX = 3
NEVER_MS = -(2**62)
Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]

_CHEAP_END = sum(not field.is_dear for field in SAMPLE_FIELDS)
assert not any(field.is_dear for field in SAMPLE_FIELDS[:_CHEAP_END]), "cheap fields stand first"
_AGE, _HEALTH = FIELD_INDEX[SampleName.AGE_MS], FIELD_INDEX[SampleName.HEALTH]
_FIRST_READ = max(_AGE, _HEALTH) + 1
assert {_AGE, _HEALTH} == set(range(_FIRST_READ)), "all else is what only a reading tells"


@dataclass(slots=True)
class SiteColumns:
    """`proven_ms` is the moment for which each device's last reading holds, by this process's monotonic clock.

    `is_read` says that a device's last row held a reading: a row that only says that nothing is known proves nothing.
    `dear_ms` are the moments of dear values, [dear fields, devices], -NEVER_MS where there is none; none is before
    `dear_oldest_ms`. `gflops` are what the devices can do, [nominal, measured] in 10^9 operations a second, -1 where it is not known.
    `is_retired` are the inventory's, and those that people have retired; `active_count` are the others.
    """

    inventory: Inventory
    gflops: Table
    active_count: int
    values: Values
    proven_ms: npt.NDArray[np.int64]
    dear_ms: Table
    is_read: Flags
    is_cordoned: Flags
    is_retired: Flags
    period_ms: int = 0
    dear_oldest_ms: int = -NEVER_MS

    @classmethod
    def begin(cls, inventory: Inventory, gflops: Table) -> "SiteColumns":
        """Return columns of which nothing is known yet."""
        count = inventory.device_count
        return cls(
            inventory,
            gflops,
            int(np.count_nonzero(~inventory.is_retired)),
            np.full((len(SAMPLE_FIELDS), count), MISSING, np.int32),
            np.full(count, NEVER_MS, np.int64),
            np.full((len(SAMPLE_FIELDS) - _CHEAP_END, count), -NEVER_MS, np.int64),
            np.zeros(count, np.bool_),
            np.zeros(count, np.bool_),
            inventory.is_retired.copy(),
        )

    def keep(self, known: "SiteColumns") -> None:
        """Take over what was known of the same devices; the inventory has grown, or some of it was retired."""
        count = known.inventory.device_count
        self.values[:, :count] = known.values
        self.proven_ms[:count] = known.proven_ms
        self.dear_ms[:, :count] = known.dear_ms
        self.is_read[:count] = known.is_read
        self.period_ms, self.dear_oldest_ms = known.period_ms, known.dear_oldest_ms

    def take(self, numbers: Numbers, values: Values, sampled_ms: int, period_ms: int) -> None:
        """Write the samples of a frame taken at `sampled_ms`, monotonic. A dear field that is missing stays as it was."""
        place = _find_place(numbers)
        age_ms = values[_AGE]
        read_ms = sampled_ms - np.where(age_ms == MISSING, 0, age_ms).astype(np.int64)
        self.values[:_CHEAP_END, place] = values[:_CHEAP_END]
        self._take_dear(place, values[_CHEAP_END:], read_ms)
        unread = _find_unread(values)
        self.is_read[place] = ~unread
        self.proven_ms[place] = np.where(unread, self.proven_ms[place], read_ms)
        self.period_ms = period_ms

    def _take_dear(self, place: slice | Numbers, values: Values, read_ms: npt.NDArray[np.int64]) -> None:
        for position, row in enumerate(values):
            missing = row == MISSING
            if missing[0] and missing.all():
                continue
            kept = self.values[_CHEAP_END + position]
            kept[place] = np.where(missing, kept[place], row)
            moments = self.dear_ms[position]
            moments[place] = np.where(missing, moments[place], read_ms)
            self.dear_oldest_ms = min(self.dear_oldest_ms, int(read_ms.min()))

    def forget_dear(self, now_ms: int) -> int:
        """Forget dear values older than three of their own periods; return when the next one will be, or earlier."""
        patience_ms = PERIODS_MISSED_MAX * DEAR_EVERY_MAX * self.period_ms
        if self.dear_oldest_ms < now_ms - patience_ms:
            old = self.dear_ms < now_ms - patience_ms
            self.values[_CHEAP_END:][old] = MISSING
            self.dear_ms[old] = -NEVER_MS
            self.dear_oldest_ms = int(self.dear_ms.min(initial=-NEVER_MS))
        return self.dear_oldest_ms + patience_ms + 1

    def find_reporting(self, now_ms: int) -> tuple[Flags, int]:
        """Return which devices have been read within three periods, and when the next of them will not have been."""
        patience_ms = PERIODS_MISSED_MAX * self.period_ms
        reporting = (self.proven_ms >= now_ms - patience_ms) & self.is_read & ~self.is_retired
        if not reporting.any():
            return reporting, -NEVER_MS
        earliest = int(np.min(self.proven_ms, where=reporting, initial=-NEVER_MS))
        return reporting, earliest + patience_ms + 1

    def judge(self, reporting: Flags) -> Codes:
        """Return each device's verdict as its code; one that does not report, or does not tell, is unknown."""
        health = self.values[_HEALTH]
        return np.where(reporting & (health != MISSING), health, HEALTH_CODES[Verdict.UNKNOWN]).astype(np.int8)


def _find_place(numbers: Numbers) -> slice | Numbers:
    """Return where ascending numbers stand: a slice, which copies several times faster, if none is left out."""
    first, last = int(numbers[0]), int(numbers[-1])
    return slice(first, last + 1) if last - first + 1 == len(numbers) else numbers


def _find_unread(values: Values) -> Flags:
    """Return whose rows hold no reading: nothing is told but an age, and of health no more than that it is not known."""
    health = values[_HEALTH]
    unread: Flags = (health == MISSING) | (health == HEALTH_CODES[Verdict.UNKNOWN])
    doubtful = np.flatnonzero(unread)
    if len(doubtful):
        unread[doubtful] = (values[_FIRST_READ:, doubtful] == MISSING).all(axis=0)
    return unread
