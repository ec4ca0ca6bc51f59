"""Notes of devices as the database has them: read beside the tick, which never waits for them."""

from keisan.control.context import Control
from keisan.domain.access import PlatformScope
from keisan.domain.challenge import Workload
from keisan.domain.device import DeviceUse
from keisan.domain.figure import GIGA
from keisan.domain.ids import SiteId
from keisan.telemetry.device_note import DeviceNotes

# What counts as a device's measured speed: the first of these that it was challenged in. CPUs are challenged in FP32 alone.
MEASURED_WORKLOADS = (Workload.FP16, Workload.BF16, Workload.FP32)


async def read_notes(control: Control) -> dict[SiteId, DeviceNotes]:
    """Return what people and challenges said of devices, of the sites of which anything was said; raises StorageUnavailable."""
    async with control.storage.read() as view:
        closed = await view.devices.list_closed(PlatformScope())
        measured = await view.challenges.list_measured(PlatformScope())
    closed_by_site: dict[SiteId, set[str]] = {}
    retired_by_site: dict[SiteId, set[str]] = {}
    for site_id, hardware_id, use in closed:
        chosen = retired_by_site if use is DeviceUse.RETIRED else closed_by_site
        chosen.setdefault(site_id, set()).add(hardware_id)
    gflops_by_site: dict[SiteId, dict[str, int]] = {}
    for workload in reversed(MEASURED_WORKLOADS):
        for found in measured:
            if found.workload is workload:
                gflops_by_site.setdefault(found.site_id, {})[found.hardware_id] = found.rate_per_s // GIGA
    return {
        site_id: DeviceNotes(
            frozenset(closed_by_site.get(site_id, ())),
            gflops_by_site.get(site_id, {}),
            frozenset(retired_by_site.get(site_id, ())),
        )
        for site_id in closed_by_site.keys() | gflops_by_site.keys() | retired_by_site.keys()
    }
