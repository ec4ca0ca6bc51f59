"""Verified capacity: what the last challenges proved, device by device; of nothing else is anything known."""

from collections.abc import Iterable

from keisan.control.capacity import CapacityReading
from keisan.control.context import Control
from keisan.domain.access import OrganizationScope, Scope
from keisan.domain.capacity import CapacityKind, CapacityRow
from keisan.domain.challenge import VerifiedCapacity, Workload
from keisan.domain.chip import find_chip_fact
from keisan.domain.claim import PRECISIONS
from keisan.domain.fact import FactName
from keisan.domain.figure import GIGA, MEGA, Precision
from keisan.domain.ids import SiteId


class VerifiedSource:
    """Rows of what is verified; unknown where no device has proved anything."""

    kind = CapacityKind.VERIFIED

    async def read_capacity(self, control: Control, scope: Scope) -> CapacityReading | None:
        """Return a row for each chip at each site; a device counts that proved any of its workloads."""
        if isinstance(scope, OrganizationScope):
            return None
        async with control.storage.read() as view:
            found = await view.challenges.sum_verified(scope)
            if not found:
                return None
            sites = {site.id: site for site in await view.sites.list_all(scope)}
            names = {
                site.provider_id: (await view.providers.get(scope, site.provider_id)).name for site in sites.values()
            }
        groups: dict[tuple[SiteId, str], list[VerifiedCapacity]] = {}
        for each in found:
            groups.setdefault((each.site_id, each.chip), []).append(each)
        rows = [
            CapacityRow(
                region=sites[site_id].region,
                provider=names[sites[site_id].provider_id],
                vendor=find_chip_fact(control.chips, chip, FactName.VENDOR),
                chip=chip,
                origin=find_chip_fact(control.chips, chip, FactName.DESIGNED_IN),
                device_count=max(each.verified_count for each in own),
                bandwidth_bytes_per_s=_find_bandwidth_bytes_per_s(own),
                gflops=_find_gflops(own),
                site_id=site_id,
            )
            for (site_id, chip), own in groups.items()
        ]
        return CapacityReading(rows, max(each.newest_at for each in found))


def _find_bandwidth_bytes_per_s(own: Iterable[VerifiedCapacity]) -> int | None:
    return next((each.rate_mega_per_s * MEGA for each in own if each.workload is Workload.MEMORY), None)


def _find_gflops(own: Iterable[VerifiedCapacity]) -> dict[Precision, int]:
    gflops: dict[Precision, int] = {}
    for each in own:
        if (precision := PRECISIONS.get(each.workload)) is not None:
            # Challenged in fp16 and in bf16: the better of the two is what the devices can do.
            gflops[precision] = max(gflops.get(precision, 0), each.rate_mega_per_s // (GIGA // MEGA))
    return gflops
