"""Sums of a site's devices, by node and up: exact, and the same however the tree is cut."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from keisan.domain.roll_up import SUMMED_FIELDS, CountName, FieldSum
from keisan.domain.sample import FIELD_INDEX, HEALTH_CODES, MISSING, SampleName
from keisan.domain.verdict import Verdict
from keisan.telemetry.group import Groups, Table, find_most, sum_groups
from keisan.telemetry.site_columns import NEVER_MS, Flags, SiteColumns

COUNT_INDEX = {name: position for position, name in enumerate(CountName)}
_COUNT_NAMES = tuple(CountName)
_SUMMED = np.array([FIELD_INDEX[name] for name in SUMMED_FIELDS])
_TOTALS = len(CountName)
_KNOWN = _TOTALS + len(SUMMED_FIELDS)
_SUM_ROWS = _KNOWN + len(SUMMED_FIELDS)
_PROVEN, _HOTTEST = 0, 1


@dataclass(frozen=True, slots=True)
class Sums:
    """One column a group. `added` holds counts, totals of fields and of how many devices they are; `most` maxima."""

    added: Table
    most: Table

    @property
    def group_count(self) -> int:
        """How many groups there are."""
        return int(self.added.shape[1])

    def merge(self, groups: Groups) -> "Sums":
        """Return the sums of groups of these groups."""
        return Sums(sum_groups(self.added, groups), find_most(self.most, groups, NEVER_MS))

    def get_counts(self, group: int) -> Mapping[CountName, int]:
        """Return the counts of one group."""
        return dict(zip(_COUNT_NAMES, self.added[:_TOTALS, group].tolist(), strict=True))

    def get_sums(self, group: int) -> Mapping[SampleName, FieldSum]:
        """Return the sums of fields of one group."""
        totals, known = self.added[_TOTALS:_KNOWN, group].tolist(), self.added[_KNOWN:, group].tolist()
        pairs = zip(totals, known, strict=True)
        return {name: FieldSum(*pair) for name, pair in zip(SUMMED_FIELDS, pairs, strict=True)}

    def get_proven_ms(self, group: int) -> int:
        """Return when one of the group was heard last, by the monotonic clock, NEVER_MS if none was."""
        return int(self.most[_PROVEN, group])

    def get_hottest(self, group: int) -> int | None:
        """Return the temperature of the hottest device that reports, in thousandths of a degree Celsius."""
        hottest = int(self.most[_HOTTEST, group])
        return None if hottest <= MISSING else hottest


EMPTY = Sums(np.zeros((_SUM_ROWS, 0), np.int64), np.zeros((2, 0), np.int64))


def sum_devices(columns: SiteColumns, reporting: Flags, groups: Groups) -> Sums:
    """Return the sums of a site's devices by groups of them; retired devices are in none."""
    active = ~columns.is_retired
    found = columns.values[_SUMMED]
    known = (found != MISSING) & reporting
    added = np.concatenate(
        [
            sum_groups(_count_devices(columns, reporting, active), groups),
            sum_groups(np.where(known, found, 0), groups),
            sum_groups(known, groups),
        ]
    )
    heat = columns.values[FIELD_INDEX[SampleName.TEMPERATURE_MILLICELSIUS]].astype(np.int64)
    most = np.stack([np.where(active, columns.proven_ms, NEVER_MS), np.where(reporting, heat, NEVER_MS)])
    return Sums(added, find_most(most, groups, NEVER_MS))


def join_sums(parts: list[Sums]) -> Sums:
    """Return the groups of all parts side by side."""
    if not parts:
        return EMPTY
    return Sums(
        np.concatenate([part.added for part in parts], axis=1), np.concatenate([part.most for part in parts], axis=1)
    )


def _count_devices(columns: SiteColumns, reporting: Flags, active: Flags) -> Table:
    verdicts = columns.judge(reporting)
    is_ok = active & (verdicts == HEALTH_CODES[Verdict.OK])
    flags = columns.values[FIELD_INDEX[SampleName.THROTTLE_FLAGS]]
    nominal, measured = columns.gflops
    rows = {
        CountName.DEVICES: active,
        CountName.REPORTING: reporting,
        CountName.OK: is_ok,
        CountName.UNKNOWN: active & (verdicts == HEALTH_CODES[Verdict.UNKNOWN]),
        CountName.FAILED: active & (verdicts == HEALTH_CODES[Verdict.FAILED]),
        CountName.CORDONED: active & columns.is_cordoned,
        CountName.THROTTLED: reporting & (flags > 0),
        CountName.MEMORY_MIB: np.where(active, columns.inventory.memory_mib, 0),
        CountName.NOMINAL_GFLOPS: np.where(active & (nominal >= 0), nominal, 0),
        CountName.NOMINAL_DEVICES: active & (nominal >= 0),
        CountName.SCHEDULABLE_GFLOPS: np.where(is_ok & ~columns.is_cordoned & (nominal >= 0), nominal, 0),
        CountName.MEASURED_GFLOPS: np.where(active & (measured >= 0), measured, 0),
        CountName.MEASURED_DEVICES: active & (measured >= 0),
    }
    table = np.empty((len(CountName), len(active)), np.int64)
    for name, row in rows.items():
        table[COUNT_INDEX[name]] = row
    return table
