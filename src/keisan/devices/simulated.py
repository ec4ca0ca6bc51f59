"""Devices that are not there: any number of any chip of the catalogue, with seeded values, and faults on demand.

Their ids, names and facts say that they are simulated.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid5

import numpy as np

from keisan.devices.base import DeviceSample
from keisan.devices.reading import encode_health
from keisan.devices.simulated_fault import SimulatedFault
from keisan.devices.simulated_sampler import FaultRates, SimulatedChip, SimulatedSampler
from keisan.domain.chip import Chip, find_figure, get_nominal_memory_bytes
from keisan.domain.fact import FactName
from keisan.domain.figure import FigureName
from keisan.domain.sample import MISSING, SampleName, Throttle
from keisan.domain.verdict import Verdict
from keisan.kit.clock import Clock
from keisan.wire.device import DeviceReport
from keisan.wire.node import NodeReport

NO_FAULTS: Final = FaultRates(failure=0.0, loss=0.0, link=0.0, corrected=0.0)
_ROOT: Final = UUID("5d7b0f5e-6f0c-4c5e-9a57-0b1f5c1d9c11")
# Of chips of which the catalogue does not say it.
_POWER_W_USUAL: Final = 300
_LINKS: Final = 8
_HOT_MILLICELSIUS: Final = 97_000
_HEAT_FLAG: Final = 1 << list(Throttle).index(Throttle.HEAT)

# What a device without links has nothing to say of.
_LINK_NAMES: Final = frozenset(name for name in SampleName if name.value.startswith("link_"))


@dataclass(frozen=True, slots=True)
class SimulatedPlan:
    """What to play. `faults` names what each of some devices suffers, by its number, from `faults_after_s` seconds on.

    `chances` are those of trouble besides.
    """

    chip: Chip
    count: int
    seed: int = 0
    faults: Mapping[int, SimulatedFault] = field(default_factory=dict)
    faults_after_s: float = 0.0
    chances: FaultRates = NO_FAULTS


class SimulatedDriver:
    """Plays the devices of one plan. The same plan on the same node gives the same devices, and the same course of values."""

    def __init__(self, plan: SimulatedPlan, clock: Clock) -> None:
        self._plan = plan
        self._clock = clock
        self._play = describe_play(plan.chip)
        self._sampler = SimulatedSampler([self._play] * plan.count, plan.seed, plan.chances)
        self._started_s = self._read_s = clock.monotonic_s()
        self._ids: tuple[str, ...] = ()
        # How each device was when it was read last, None for one that did not answer; nobody was asked at first.
        self._verdicts: list[Verdict | None] = [Verdict.OK] * plan.count
        self._error_count = 0
        self._silent = {SampleName.AGE_MS} | (set() if self._play.link_count else _LINK_NAMES)
        # The sampler moves on with each reading: two at once would break its course.
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The chip, and the seed, as a site may play one chip twice."""
        return f"simulated {self._plan.chip.id} {self._plan.seed}"

    def read_devices(self, node: NodeReport) -> tuple[DeviceReport, ...]:
        """Return the devices that have not fallen off the bus."""
        plan = self._plan
        self._ids = tuple(_name_device(plan, node, number) for number in range(plan.count))
        facts = {"simulated": "yes", "seed": str(plan.seed)}
        if FactName.VENDOR in plan.chip.facts:
            facts["vendor"] = ", ".join(plan.chip.facts[FactName.VENDOR].values)
        return tuple(
            DeviceReport(
                hardware_id=self._ids[number],
                node_hardware_id=node.hardware_id,
                chip=plan.chip.id,
                name=f"{plan.chip.name} (simulated)",
                memory_bytes=self._play.memory_mib * 2**20,
                verdict=verdict,
                facts=facts,
            )
            for number, verdict in enumerate(self._judge())
            if verdict is not None
        )

    def read_samples(self, *, is_dear: bool) -> tuple[DeviceSample, ...]:
        """Return the next values of the devices that answer, nothing before they have been read once."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            present, values = self._sampler.read(now_s - self._read_s, is_dear=is_dear)
            self._read_s = now_s
            self._error_count += 1
        names = list(SampleName)
        verdicts: list[Verdict | None] = [None] * self._plan.count
        read: dict[int, dict[SampleName, int]] = {}
        for number, column in zip(present.tolist(), np.ascontiguousarray(values.T).tolist(), strict=True):
            pairs = zip(names, column, strict=True)
            known = {name: value for name, value in pairs if value != MISSING and name not in self._silent}
            read[number] = known
            is_well = known[SampleName.HEALTH] == encode_health(Verdict.OK)
            verdicts[number] = Verdict.OK if is_well else Verdict.FAILED
        self._verdicts = verdicts
        return tuple(
            DeviceSample(self._ids[number], self._suffer(number, read[number], verdict, is_dear=is_dear))
            for number, verdict in enumerate(self._judge())
            if verdict is not None and number in read and self._ids
        )

    def _find_fault(self, number: int) -> SimulatedFault | None:
        is_due = self._clock.monotonic_s() - self._started_s >= self._plan.faults_after_s
        return self._plan.faults.get(number) if is_due else None

    def _judge(self) -> list[Verdict | None]:
        """Return how each device is: None for one off the bus, failed for memory that lies; heat and links are no failure."""
        verdicts = list(self._verdicts)
        for number in range(self._plan.count):
            fault = self._find_fault(number)
            if fault is SimulatedFault.LOST:
                verdicts[number] = None
            elif fault is SimulatedFault.ECC and verdicts[number] is not None:
                verdicts[number] = Verdict.FAILED
        return verdicts

    def _suffer(
        self, number: int, values: dict[SampleName, int], verdict: Verdict, *, is_dear: bool
    ) -> dict[SampleName, int]:
        """Return the values of a device with what its fault makes of them."""
        changed = values | {SampleName.HEALTH: encode_health(verdict)}
        fault = self._find_fault(number)
        if fault is SimulatedFault.HEAT:
            changed[SampleName.TEMPERATURE_MILLICELSIUS] = _HOT_MILLICELSIUS
            changed[SampleName.THROTTLE_FLAGS] = values.get(SampleName.THROTTLE_FLAGS, 0) | _HEAT_FLAG
        if is_dear and fault is SimulatedFault.LINK and self._play.link_count > 0:
            changed[SampleName.LINK_UP_COUNT] = self._play.link_count - 1
            changed[SampleName.LINK_ERROR_COUNT] = values.get(SampleName.LINK_ERROR_COUNT, 0) + self._error_count
        if is_dear and fault is SimulatedFault.ECC:
            changed[SampleName.ECC_UNCORRECTED_COUNT] = (
                values.get(SampleName.ECC_UNCORRECTED_COUNT, 0) + self._error_count
            )
        return changed


def describe_play(chip: Chip) -> SimulatedChip:
    """Return what a device of a chip can come to, by the catalogue, or something usual where it does not say."""
    memory_mib = (get_nominal_memory_bytes(chip) or 0) // 2**20
    power_w = find_figure(chip, FigureName.POWER_W).nominal or _POWER_W_USUAL
    has_links = find_figure(chip, FigureName.LINK_GB_PER_S).nominal is not None
    return SimulatedChip(memory_mib, power_w * 1000, _LINKS if has_links else 0)


def _name_device(plan: SimulatedPlan, node: NodeReport, number: int) -> str:
    return f"simulated-{uuid5(_ROOT, f'{node.hardware_id}/{plan.chip.id}/{plan.seed}/{number}')}"
