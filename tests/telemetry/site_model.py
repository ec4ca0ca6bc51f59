"""A slow model of a live site: what each device last said, kept device by device, and added up one by one."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from keisan.domain.roll_up import SUMMED_FIELDS, CountName, FieldSum
from keisan.domain.sample import HEALTH_CODES, MISSING, SAMPLE_FIELDS, FrameHead, SampleName
from keisan.domain.verdict import Verdict
from keisan.telemetry.live_site import LiveSite, Moment
from keisan.telemetry.roll_up import Sums
from keisan.telemetry.site_columns import NEVER_MS
from tests.telemetry.fleet import NOMINAL_GFLOPS

PATIENCE_PERIODS = 3
DEAR_PATIENCE_PERIODS = 18


@dataclass(frozen=True)
class Recount:
    """The sums of one group, added up device by device."""

    counts: dict[CountName, int]
    sums: dict[SampleName, FieldSum]
    hottest: int | None
    proven_ms: int


@dataclass
class DeviceModel:
    """What one device said: its last row, when it was last read, and each dear value with its time."""

    cheap: dict[SampleName, int] = field(default_factory=dict)
    dear: dict[SampleName, tuple[int, int]] = field(default_factory=dict)
    read_ms: int = NEVER_MS
    is_read: bool = False


@dataclass
class SiteModel:
    """No columns, no groups, no sums kept. Of the site itself only inventory and cordons are read."""

    site: LiveSite
    devices: dict[int, DeviceModel] = field(default_factory=dict)
    period_ms: int = 0

    def take(self, head: FrameHead, numbers: np.ndarray, values: np.ndarray, now: Moment) -> None:
        """See a live frame of values that are all within their bounds."""
        stamp_ms = now.monotonic_ms - max(0, now.wall_ms - head.sampled_at_ms)
        for column, number in enumerate(numbers.tolist()):
            said = {each.name: int(values[row, column]) for row, each in enumerate(SAMPLE_FIELDS)}
            if all(value == MISSING for name, value in said.items() if name is not SampleName.AGE_MS):
                # It stands for no row.
                continue
            self.period_ms = head.period_ms
            known = self.devices.setdefault(number, DeviceModel())
            at_ms = stamp_ms - (0 if said[SampleName.AGE_MS] == MISSING else said[SampleName.AGE_MS])
            known.cheap = {each.name: said[each.name] for each in SAMPLE_FIELDS if not each.is_dear}
            known.dear |= {
                each.name: (said[each.name], at_ms)
                for each in SAMPLE_FIELDS
                if each.is_dear and said[each.name] != MISSING
            }
            health = said.pop(SampleName.HEALTH)
            del said[SampleName.AGE_MS]
            is_judged = health in (HEALTH_CODES[Verdict.OK], HEALTH_CODES[Verdict.FAILED])
            known.is_read = is_judged or any(value != MISSING for value in said.values())
            if known.is_read:
                known.read_ms = at_ms

    def read(self, number: int, name: SampleName, now_ms: int) -> int:
        """Return what a device's value is at a time."""
        known = self.devices.get(number, DeviceModel())
        value, at_ms = known.dear.get(name, (MISSING, now_ms))
        is_old = at_ms < now_ms - DEAR_PATIENCE_PERIODS * self.period_ms
        return MISSING if is_old else known.cheap.get(name, value)

    def recount(self, now_ms: int, is_in: Callable[[int], bool]) -> Recount:
        """Add up the devices of which `is_in` says that they are in the group."""
        columns, inventory, cordoned = self.site.columns, self.site.columns.inventory, self.site.columns.is_cordoned
        devices = [n for n in range(inventory.device_count) if not columns.is_retired[n] and is_in(n)]
        known = {n: self.devices.get(n, DeviceModel()) for n in devices}
        reporting = [
            n for n in devices if known[n].is_read and known[n].read_ms >= now_ms - PATIENCE_PERIODS * self.period_ms
        ]

        def verdict(number: int) -> Verdict:
            code = self.read(number, SampleName.HEALTH, now_ms)
            return Verdict.UNKNOWN if number not in reporting or code == MISSING else list(Verdict)[code]

        nominal = {n: NOMINAL_GFLOPS.get(inventory.head.chips[inventory.chip[n]]) for n in devices}
        ok = [n for n in devices if verdict(n) is Verdict.OK]
        counts = {
            CountName.DEVICES: len(devices),
            CountName.REPORTING: len(reporting),
            CountName.OK: len(ok),
            CountName.UNKNOWN: len([n for n in devices if verdict(n) is Verdict.UNKNOWN]),
            CountName.FAILED: len([n for n in devices if verdict(n) is Verdict.FAILED]),
            CountName.CORDONED: len([n for n in devices if cordoned[n]]),
            CountName.THROTTLED: len([n for n in reporting if self.read(n, SampleName.THROTTLE_FLAGS, now_ms) > 0]),
            CountName.MEMORY_MIB: sum(int(inventory.memory_mib[n]) for n in devices),
            CountName.NOMINAL_GFLOPS: sum(found for found in nominal.values() if found is not None),
            CountName.NOMINAL_DEVICES: len([n for n in devices if nominal[n] is not None]),
            CountName.SCHEDULABLE_GFLOPS: sum(nominal[n] or 0 for n in ok if not cordoned[n]),
            CountName.MEASURED_GFLOPS: 0,
            CountName.MEASURED_DEVICES: 0,
        }
        sums = {}
        for name in SUMMED_FIELDS:
            told = [value for n in reporting if (value := self.read(n, name, now_ms)) != MISSING]
            sums[name] = FieldSum(sum(told), len(told))
        heat = [self.read(n, SampleName.TEMPERATURE_MILLICELSIUS, now_ms) for n in reporting]
        hot = [each for each in heat if each != MISSING]
        proven_ms = max([each.read_ms for each in known.values()], default=NEVER_MS)
        return Recount(counts, sums, max(hot, default=None), proven_ms)


def read_group(sums: Sums, group: int) -> Recount:
    """Return what the roll-up says of one group, in the recount's form."""
    return Recount(
        dict(sums.get_counts(group)), dict(sums.get_sums(group)), sums.get_hottest(group), sums.get_proven_ms(group)
    )
