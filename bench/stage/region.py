"""Provinces whose every device changes each second, and the nation that hears of them: real registers, simulated devices."""

import asyncio
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from keisan.control.capacity import OWN_SOURCES
from keisan.control.live_capacity import LiveSource
from keisan.control.region import RegionWatch
from keisan.control.telemetry import FleetWatch
from keisan.daemon.simulated_fleet import REGIONS
from keisan.domain.capacity import CapacityKind
from keisan.domain.roll_up import CountName, Level
from keisan.telemetry.live_site import SitePlace
from keisan.telemetry.reading import RollUpQuery, read_rollups
from stage.town import imagine_town, join_parent, open_town, take_in
from tests.control.town import Town
from tests.factories import create_provider, create_site
from tests.telemetry.fleet import build_head, build_inventory, build_values

SITES = 4
NATION_SEED = 90
LOOK_S = 0.2


@dataclass(slots=True)
class Place:
    """A platform with its fleet. `steps` counts how often it has told what it has."""

    town: Town
    watch: FleetWatch
    regions: RegionWatch
    steps: int = 0
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))

    def feed(self) -> None:
        """Read every device anew."""
        now = self.watch.read_moment()
        self.steps += 1
        for site in self.watch.fleet.sites.values():
            count = site.columns.inventory.device_count
            values = build_values(
                count,
                utilization_permille=self.random.integers(0, 1000, count),
                memory_used_mib=self.random.integers(0, 60_000, count),
                power_milliwatts=self.random.integers(50_000, 700_000, count),
                temperature_millicelsius=self.random.integers(30_000, 80_000, count),
                tokens_per_s=self.random.integers(0, 3000, count),
            )
            site.take(build_head(self.steps, now.wall_ms), np.arange(count, dtype=np.uint32), values, now)
        self.watch.fleet.roll_up(now)

    def count_devices(self) -> int:
        """Return how many devices of all that it hears of it sees well."""
        return sum(each.counts[CountName.OK] for each in read_rollups(self.watch.fleet, RollUpQuery(Level.PLATFORM)))

    def is_told_all(self) -> bool:
        """Tell whether it has every platform's inventories whole."""
        platforms = self.regions.hearing.list_platforms()
        told = sum(platform.is_whole(site) for platform in platforms for site in platform.list_sites())
        return told == SITES * len(platforms)

    async def wait_until_seen(self, devices: int, seconds_max: float) -> float:
        """Return after how long it saw so many devices well, and had all their digests; raises AssertionError."""
        began_s = time.monotonic()
        while time.monotonic() - began_s < seconds_max:
            if self.is_told_all() and self.count_devices() == devices:
                return time.monotonic() - began_s
            await asyncio.sleep(LOOK_S)
        raise AssertionError(f"the nation saw {self.count_devices()} of {devices} devices")


def _build_place(town: Town) -> Place:
    watch = FleetWatch(town.control, {})
    live = (LiveSource(watch, kind) for kind in (CapacityKind.CONNECTED, CapacityKind.SCHEDULABLE))
    return Place(town, watch, RegionWatch(watch, (*OWN_SOURCES, *live)))


async def build_nation(folder: Path, template: Path, regions: int) -> Place:
    """Return the nation, joined to its provinces, each with its region; province n has the seed n + 1."""
    nation = await open_town(folder, template, "cn", NATION_SEED)
    for number in range(regions):
        await take_in(nation, imagine_town(nation, f"p{number}", number + 1), REGIONS[number])
    return _build_place(nation)


async def build_province(folder: Path, template: Path, number: int, devices: int) -> Place:
    """Return a province with its devices, joined to the nation."""
    town = await open_town(folder, template, f"p{number}", number + 1)
    await join_parent(town, imagine_town(town, "cn", NATION_SEED))
    place = _build_place(town)
    for site_number in range(SITES):
        await _add_site(place, REGIONS[number], f"{number}-{site_number}", devices // SITES)
    # Digests of all devices are written once, and by 31 provinces in one process better before they are connected.
    place.feed()
    await place.regions.step()
    return place


async def _add_site(place: Place, region: str, name: str, devices: int) -> None:
    town = place.town
    provider = replace(create_provider(), platform_id=town.id)
    site = replace(create_site(provider, name), region=region, platform_id=town.id)
    async with town.storage.write() as transaction:
        await transaction.providers.insert(provider)
        await transaction.sites.insert(site)
    inventory = build_inventory([number // 8 for number in range(devices)])
    ids = pa.array([f"GPU-{name}-{number:06d}" for number in range(devices)], pa.utf8())
    place_of_site = SitePlace(site.id, site.provider_id, site.name, site.region)
    place.watch.fleet.take_inventory(place_of_site, replace(inventory, hardware_ids=ids))


async def step_each_second(place: Place) -> None:
    """Feed and tell each second, as a platform does, until cancelled."""
    while True:
        began_s = time.monotonic()
        place.feed()
        await place.regions.step()
        await asyncio.sleep(max(0.0, 1 - (time.monotonic() - began_s)))
