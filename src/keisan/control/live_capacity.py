"""Connected and schedulable capacity, counted in the live fleet; what chips can do is the catalogue's word.

Connected is what inventories tell, heard or not: a region that is cut off is not gone. Schedulable is what was heard within
three periods, is well and not cordoned; of a site that is not heard nobody knows how much that is.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from keisan.control.capacity import CapacityReading
from keisan.control.context import Control
from keisan.control.telemetry import FleetWatch
from keisan.domain.access import OrganizationScope, ProviderScope, Scope
from keisan.domain.capacity import CapacityKind, CapacityRow
from keisan.domain.chip import find_chip_fact, find_figure, get_nominal_gflops
from keisan.domain.fact import FactName
from keisan.domain.figure import FigureName, Precision
from keisan.kit.clock import from_milliseconds
from keisan.telemetry.reading import ChipCount, count_chips

MIB = 1024 * 1024
GB = 10**9


@dataclass(frozen=True, slots=True)
class LiveSource:
    """One of the two kinds, by the same rows."""

    watch: FleetWatch
    kind: CapacityKind

    async def read_capacity(self, control: Control, scope: Scope) -> CapacityReading | None:
        """Return a row for each chip at each site; None, which is unknown, where no site tells anything."""
        if isinstance(scope, OrganizationScope):
            return None
        own = scope.provider_id if isinstance(scope, ProviderScope) else None
        counts = tuple(count_chips(self.watch.fleet, own))
        if not counts:
            return None
        async with control.storage.read() as view:
            ids = {count.place.provider_id for count in counts}
            names = {provider_id: (await view.providers.get(scope, provider_id)).name for provider_id in ids}
        rows = tuple(self._build_row(control, count, names[count.place.provider_id]) for count in counts)
        return CapacityReading(rows, from_milliseconds(self.watch.fleet.picture.taken.wall_ms))

    def _build_row(self, control: Control, count: ChipCount, provider: str) -> CapacityRow:
        is_connected = self.kind is CapacityKind.CONNECTED
        devices = count.devices if is_connected else count.schedulable
        memory_mib = count.memory_mib if is_connected else count.schedulable_memory_mib
        each = _find_bandwidth_bytes_per_s(control, count.chip)
        return CapacityRow(
            region=count.place.region,
            provider=provider,
            vendor=find_chip_fact(control.chips, count.chip, FactName.VENDOR),
            chip=count.chip,
            origin=find_chip_fact(control.chips, count.chip, FactName.DESIGNED_IN),
            device_count=devices,
            memory_bytes=None if memory_mib is None else memory_mib * MIB,
            bandwidth_bytes_per_s=None if devices is None or each is None else devices * each,
            gflops={} if devices is None else dict(_list_gflops(control, count.chip, devices)),
            site_id=count.place.site_id,
        )


def _list_gflops(control: Control, chip_id: str, devices: int) -> Iterator[tuple[Precision, int]]:
    if (chip := control.chips.get(chip_id)) is None:
        return
    for precision in Precision:
        gflops = get_nominal_gflops(chip, precision)
        if gflops is not None:
            yield precision, gflops * devices


def _find_bandwidth_bytes_per_s(control: Control, chip_id: str) -> int | None:
    chip = control.chips.get(chip_id)
    found = None if chip is None else find_figure(chip, FigureName.MEMORY_GB_PER_S).nominal
    return None if found is None else found * GB
