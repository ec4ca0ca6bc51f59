"""Towns of a country with fleets of their own, on one clock that a test moves, joined by real links over pipes."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from keisan.control.capacity import OWN_SOURCES, draw_capacity
from keisan.control.exchange import list_exchanges
from keisan.control.live_capacity import LiveSource
from keisan.control.region import RegionWatch
from keisan.control.region_capacity import TreeSource
from keisan.control.telemetry import FleetWatch
from keisan.control.verified_capacity import VerifiedSource
from keisan.domain.access import PlatformScope, Role
from keisan.domain.capacity import CapacityFigure, CapacityKey, CapacityKind
from keisan.domain.exchange import Exchange, ExchangeState
from keisan.domain.letter import LetterKind
from keisan.domain.link import OPEN_STATES
from keisan.domain.roll_up import CountName, Level, RollUp
from keisan.domain.site import Site
from keisan.kit.clock import Clock, SystemClock
from keisan.telemetry.live_site import SitePlace
from keisan.telemetry.reading import RollUpQuery, read_rollups
from keisan.wire.capacity import CapacityView
from keisan.wire.name import NameBody, encode_body, encode_key_chain
from tests.control.town import Country, Town
from tests.deadline import let_time_pass_async, wait_until_async
from tests.factories import create_key, create_organization, create_project, create_provider, create_site
from tests.telemetry.fleet import build_head, build_inventory, build_values

CITY_DEVICE = "device-of-the-city"


@dataclass
class AheadClock:
    """A clock that a test puts forward."""

    inner: Clock = field(default_factory=SystemClock)
    ahead_s: float = 0.0

    def now(self) -> datetime:
        return self.inner.now() + timedelta(seconds=self.ahead_s)

    def monotonic_s(self) -> float:
        return self.inner.monotonic_s() + self.ahead_s

    async def sleep(self, duration_s: float) -> None:
        await self.inner.sleep(duration_s)


@dataclass
class Region:
    """A town with its fleet. `sequence` numbers its frames."""

    town: Town
    clock: AheadClock
    watch: FleetWatch
    regions: RegionWatch
    sequence: int = 0

    async def add_site(
        self, region: str, hardware_ids: list[str], *, site: Site | None = None, name: str = "site"
    ) -> Site:
        """Open a site with these devices, all healthy; with a site that is given its id is that one's."""
        provider = create_provider()
        made = replace(create_site(provider, name), region=region, platform_id=self.town.id)
        made = made if site is None else replace(made, id=site.id)
        async with self.town.storage.write() as transaction:
            await transaction.organizations.insert(replace(create_organization(), platform_id=self.town.id))
            await transaction.providers.insert(replace(provider, platform_id=self.town.id))
            await transaction.sites.insert(made)
        self.tell_devices(made, hardware_ids)
        return made

    def tell_devices(self, site: Site, hardware_ids: list[str], version: int = 1) -> None:
        """Let a site tell its inventory."""
        inventory = build_inventory([0] * len(hardware_ids), version=version)
        inventory = replace(inventory, hardware_ids=pa.array(hardware_ids, pa.utf8()))
        self.watch.fleet.take_inventory(SitePlace(site.id, site.provider_id, site.name, site.region), inventory)
        self.feed()

    def feed(self) -> None:
        """Let all devices be read now, and renew the picture."""
        now = self.watch.read_moment()
        self.sequence += 1
        for site in self.watch.fleet.sites.values():
            count = site.columns.inventory.device_count
            head = build_head(self.sequence, now.wall_ms, inventory_version=site.mark.version)
            site.take(head, np.arange(count, dtype=np.uint32), build_values(count, power_milliwatts=1000), now)
        self.watch.fleet.roll_up(now)

    async def step(self) -> None:
        self.feed()
        await self.regions.step()
        self.watch.fleet.roll_up(self.watch.read_moment())

    def read(self) -> dict[str, RollUp]:
        """Return the regions as the API shows them."""
        return {rollup.name: rollup for rollup in read_rollups(self.watch.fleet, RollUpQuery(Level.REGION))}


@dataclass
class RegionWorld:
    """A nation, two provinces, and a city below the first; all see the same clock."""

    country: Country
    clock: AheadClock = field(default_factory=AheadClock)
    all: dict[str, Region] = field(default_factory=dict)

    async def found(self, name: str, parent: Region | None = None, region: str = "") -> Region:
        """Add a platform; its parent vouches for its region."""
        town = await self.country.found(name)
        if parent is not None:
            await self.country.join(town, parent.town)
            await self._give_region(town, parent.town, region)
        watch = FleetWatch(replace(town.control, clock=self.clock), {})
        live = (LiveSource(watch, kind) for kind in (CapacityKind.CONNECTED, CapacityKind.SCHEDULABLE))
        made = Region(town, self.clock, watch, RegionWatch(watch, (*OWN_SOURCES, *live, VerifiedSource())))
        self.all[name] = made
        return made

    async def _give_region(self, child: Town, parent: Town, region: str) -> None:
        async with parent.storage.write() as transaction:
            for link in await transaction.links.list_states(PlatformScope(), OPEN_STATES):
                if link.neighbour_id == child.id:
                    await transaction.links.update(replace(link, region=region or None, version=link.version + 1))
        keys = encode_key_chain(child.chain)
        body = NameBody(platform_id=child.id, title=child.name, region=region, epoch=1, keys=keys)
        await parent.put(LetterKind.NAME, child.name, encode_body(body))

    async def cut(self, child: Region, parent: Region) -> None:
        """Cut a link; returns once the parent has taken and read what was under way, and seen the end."""
        before = len(parent.town.hub.open_ids)
        self.country.cut(child.town)
        await wait_until_async(lambda: len(parent.town.hub.open_ids) < before, "the parent sees the end")
        await self.country.settle(parent.town)
        await parent.step()

    async def step(self) -> None:
        for region in self.all.values():
            await region.step()

    async def step_until(self, is_so: Callable[[], bool], what: str) -> None:
        """Step all platforms until something is so."""
        for _ in range(600):
            await self.step()
            if is_so():
                return
            await let_time_pass_async(0.02)
        raise AssertionError(f"never: {what}")


EVERYTHING = PlatformScope()


def count(region: Region, name: str, what: CountName = CountName.DEVICES) -> int:
    found = region.read().get(name)
    return -1 if found is None else found.counts[what]


async def draw(region: Region) -> CapacityView:
    sources = tuple(TreeSource(each, region.regions) for each in region.regions.sources)
    return await draw_capacity(region.watch.control, EVERYTHING, CapacityKey.REGION, sources)


def read_devices(view: CapacityView, kind: CapacityKind, region: str | None = None) -> int | None:
    line = view.total if region is None else next((line for line in view.lines if line.value == region), None)
    if line is None or kind not in line.kinds:
        return None
    return line.kinds[kind].figures[CapacityFigure.DEVICE_COUNT].value


async def read_bodies(region: Region, author: Region) -> dict[tuple[str, str], bytes]:
    """Return what a platform has of another's registers that go up."""
    kinds = (LetterKind.ROLL_UP, LetterKind.INVENTORY, LetterKind.SCENARIO)
    async with region.town.storage.read() as view:
        letters = [each for kind in kinds for each in await view.registers.list_kind(EVERYTHING, kind)]
    return {(each.kind, each.name): each.content for each in letters if each.author == author.town.id}


async def found_three(world: RegionWorld) -> tuple[Region, Region, Region]:
    """A nation with a site of its own, a province, and a city below it, all connected."""
    nation = await world.found("cn")
    shanxi = await world.found("sx", nation, "CN-SX")
    taiyuan = await world.found("sx.ty", shanxi, "CN-SX")
    await nation.add_site("CN-BJ", ["n1"])
    await shanxi.add_site("CN-SX", ["s1", "s2"])
    await taiyuan.add_site("CN-SX", [f"{CITY_DEVICE}-{number}" for number in range(4)])
    for each in (shanxi, taiyuan):
        world.country.connect(each.town)
    return nation, shanxi, taiyuan


def find_exchange(region: Region, of: Region, exchange: Exchange) -> tuple[ExchangeState, tuple[str, ...]]:
    key = replace(create_key(create_project(create_organization())), role=Role.PLATFORM_ADMIN)
    [found] = list_exchanges(region.regions, key.to_principal(), of.town.id).items
    line = next(line for line in found.exchanges if line.exchange is exchange)
    return line.state, line.missing
