"""A fleet for benches: inventories and frames of sites of any size, and a live fleet of any number of devices in this process."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from keisan.daemon.simulate import KINDS, NO_FAULTS
from keisan.daemon.simulated_fleet import FleetPlan, SimulatedSite, plan_sites
from keisan.domain.ids import ProviderId, SiteId
from keisan.kit.ids import create_id
from keisan.telemetry.live import LiveFleet
from keisan.telemetry.live_site import Moment, SitePlace
from keisan.wire.frame import decode_frame
from keisan.wire.inventory import decode_inventory, encode_inventory

PERIOD_MS = 10_000
REGIONS = 31
NOW_MS = 1_800_000_000_000
NOMINAL_GFLOPS = {kind.chip: 100_000 for kind in KINDS}


@dataclass(frozen=True)
class BenchFleet:
    """A live fleet, its sites, and one frame of each, which any later period may be stamped with."""

    fleet: LiveFleet
    sites: dict[SiteId, SimulatedSite]


def build_fleet(devices: int, sites_per_region: int) -> BenchFleet:
    """Return a fleet of which nothing has been heard."""
    plan = FleetPlan(REGIONS, devices, sites_per_region, PERIOD_MS, 1, NO_FAULTS)
    fleet, sites = LiveFleet(NOMINAL_GFLOPS), {}
    provider_id = ProviderId(create_id())
    for planned in plan_sites(plan, KINDS):
        site, site_id = SimulatedSite(plan, planned), SiteId(create_id())
        place = SitePlace(site_id, provider_id, planned.name, planned.region)
        # As it comes over the wire, so that memory is what a platform's would be.
        fleet.take_inventory(place, decode_inventory(encode_inventory(site.inventory)))
        sites[site_id] = site
    return BenchFleet(fleet, sites)


def write_frames(stage: BenchFleet, period: int) -> Iterator[tuple[SiteId, bytes]]:
    """Yield one frame of each site, stamped at a period."""
    for site_id, site in stage.sites.items():
        numbers, values = site.read()
        yield site_id, site.write_frame(numbers, values, NOW_MS + period * PERIOD_MS)


def take_frames(stage: BenchFleet, frames: list[tuple[SiteId, bytes]], period: int) -> float:
    """Let the fleet take frames as the API does, from bytes to columns; return the CPU seconds that took."""
    now = Moment(NOW_MS + period * PERIOD_MS, period * PERIOD_MS)
    began_s = time.process_time()
    for site_id, body in frames:
        head, numbers, values = decode_frame(body)
        site = stage.fleet.sites[site_id]
        assert site.find_refusal(head, numbers, now) is None
        site.take(head, numbers, values, now)
    return time.process_time() - began_s


def roll_up(stage: BenchFleet, period: int, changed: float) -> float:
    """Add up with a share of the sites changed; return the wall seconds that took."""
    sites = list(stage.fleet.sites.values())
    for site in sites[: max(1, round(len(sites) * changed))]:
        site.is_changed = True
    began_s = time.perf_counter()
    stage.fleet.roll_up(Moment(NOW_MS + period * PERIOD_MS, period * PERIOD_MS))
    return time.perf_counter() - began_s
