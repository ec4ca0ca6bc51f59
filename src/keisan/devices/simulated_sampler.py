"""Plausible values for any number of devices at once, from a seed: load that wanders, heat that follows it, rare faults."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from keisan.domain.sample import FIELD_INDEX, HEALTH_CODES, MISSING, SAMPLE_FIELDS, SampleName, Throttle
from keisan.domain.verdict import Verdict
from keisan.wire.frame import Numbers, Values

_DEAR = np.array([field.is_dear for field in SAMPLE_FIELDS])
_HEAT_FLAG = 1 << list(Throttle).index(Throttle.HEAT)
_ROOM_MILLICELSIUS: Final = 28_000
# At full power; most makers throttle a little above.
_LOAD_MILLICELSIUS: Final = 52_000
_THROTTLE_MILLICELSIUS: Final = 78_000
_IDLE_PERMILLE: Final = 120
_CLOCK_MHZ, _MEMORY_CLOCK_MHZ = 1_400, 1_600


@dataclass(frozen=True, slots=True)
class SimulatedChip:
    """What a device of a chip can come to: memory in MiB, power in mW, links of its scale-up domain."""

    memory_mib: int
    power_limit_milliwatts: int
    link_count: int


@dataclass(frozen=True, slots=True)
class FaultRates:
    """How often a device gets into trouble, as chances for each reading, and for how many readings it stays there."""

    failure: float = 1e-6
    loss: float = 1e-6
    link: float = 2e-6
    corrected: float = 1e-4
    readings: int = 30


class SimulatedSampler:
    """The devices of one site. The same seed and the same order of readings give the same values."""

    def __init__(self, chips: list[SimulatedChip], seed: int, faults: FaultRates | None = None) -> None:
        self._source = np.random.default_rng(seed)
        self._faults = faults or FaultRates()
        self._memory_mib = np.array([chip.memory_mib for chip in chips], np.int32)
        self._power_limit = np.array([chip.power_limit_milliwatts for chip in chips], np.int32)
        self._links = np.array([chip.link_count for chip in chips], np.int32)
        count = len(chips)
        self._target = self._source.integers(0, 1001, count, np.int32)
        self._load = self._target.copy()
        self._heat = np.full(count, _ROOM_MILLICELSIUS, np.int32)
        self._energy_joules = np.zeros(count, np.int64)
        self._counters = {
            name: np.zeros(count, np.int32)
            for name in (SampleName.LINK_ERROR_COUNT, SampleName.ECC_CORRECTED_COUNT, SampleName.ECC_UNCORRECTED_COUNT)
        }
        # For how many more readings a device has failed, is lost, or has a link down.
        self._failed, self._lost, self._link_down = (np.zeros(count, np.int32) for _ in range(3))

    def read(self, period_s: float, *, is_dear: bool) -> tuple[Numbers, Values]:
        """Return the places of the devices that answer, and their values [fields, devices]; dear ones only when due."""
        self._wander()
        self._break()
        values = self._draw_values(period_s)
        if not is_dear:
            values[_DEAR] = MISSING
        present = np.flatnonzero(self._lost == 0).astype(np.uint32)
        return present, (values if len(present) == values.shape[1] else np.ascontiguousarray(values[:, present]))

    def _wander(self) -> None:
        count = len(self._load)
        # Jobs come and go: a fiftieth of the devices get another load to head for.
        chosen = self._source.integers(0, count, max(1, count // 50))
        self._target[chosen] = self._source.integers(0, 1001, len(chosen), np.int32)
        noise = self._source.integers(-20, 21, count, np.int32)
        self._load += (self._target - self._load) // 4 + noise
        np.clip(self._load, 0, 1000, out=self._load)

    def _break(self) -> None:
        faults, count = self._faults, len(self._load)
        for left, chance in ((self._failed, faults.failure), (self._lost, faults.loss), (self._link_down, faults.link)):
            np.maximum(left - 1, 0, out=left)
            left[self._choose(count, chance)] = faults.readings
        self._counters[SampleName.ECC_CORRECTED_COUNT][self._choose(count, faults.corrected)] += 1
        self._counters[SampleName.ECC_UNCORRECTED_COUNT][self._failed == faults.readings] += 1
        self._counters[SampleName.LINK_ERROR_COUNT][self._link_down > 0] += 1

    def _choose(self, count: int, chance: float) -> Numbers:
        chosen: Numbers = self._source.integers(0, count, self._source.binomial(count, chance)).astype(np.uint32)
        return chosen

    def _draw_values(self, period_s: float) -> Values:
        count = len(self._load)
        values = np.full((len(SampleName), count), MISSING, np.int32)
        load = self._load
        power = self._power_limit // 1000 * (_IDLE_PERMILLE + load * (1000 - _IDLE_PERMILLE) // 1000)
        self._heat += (_ROOM_MILLICELSIUS + load * (_LOAD_MILLICELSIUS // 1000) - self._heat) // 4
        self._energy_joules += (power * period_s / 1000).astype(np.int64)
        health = np.where(self._failed > 0, HEALTH_CODES[Verdict.FAILED], HEALTH_CODES[Verdict.OK])
        columns = {
            SampleName.AGE_MS: 0,
            SampleName.HEALTH: health,
            SampleName.UTILIZATION_PERMILLE: load,
            SampleName.MEMORY_USED_MIB: self._memory_mib // 1000 * self._target,
            SampleName.MEMORY_UTILIZATION_PERMILLE: load * 6 // 10,
            SampleName.POWER_MILLIWATTS: power,
            SampleName.POWER_LIMIT_MILLIWATTS: self._power_limit,
            SampleName.ENERGY_KILOJOULES: self._energy_joules // 1000,
            SampleName.TEMPERATURE_MILLICELSIUS: self._heat // 1000 * 1000,
            SampleName.MEMORY_TEMPERATURE_MILLICELSIUS: (self._heat + 6_000) // 1000 * 1000,
            SampleName.CLOCK_MHZ: np.where(self._heat > _THROTTLE_MILLICELSIUS, _CLOCK_MHZ * 8 // 10, _CLOCK_MHZ),
            SampleName.MEMORY_CLOCK_MHZ: _MEMORY_CLOCK_MHZ,
            SampleName.FAN_PERMILLE: np.minimum(self._heat // 100, 1000) // 10 * 10,
            SampleName.THROTTLE_FLAGS: np.where(self._heat > _THROTTLE_MILLICELSIUS, _HEAT_FLAG, 0),
            SampleName.PROCESS_COUNT: (self._target > 50).astype(np.int32),
            SampleName.HOST_RECEIVE_KIB_PER_S: load * 64,
            SampleName.HOST_TRANSMIT_KIB_PER_S: load * 16,
            SampleName.LINK_UP_COUNT: np.maximum(self._links - (self._link_down > 0), 0),
            SampleName.TOKENS_PER_S: load * 2,
            SampleName.LINK_RECEIVE_KIB_PER_S: load * 4096,
            SampleName.LINK_TRANSMIT_KIB_PER_S: load * 4096,
            SampleName.RETIRED_PAGE_COUNT: 0,
            **self._counters,
        }
        for name, column in columns.items():
            values[FIELD_INDEX[name]] = column
        return values
