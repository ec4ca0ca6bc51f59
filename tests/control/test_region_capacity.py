"""Capacity of a whole tree: each device, site and survey is counted once, whoever reports it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from keisan.control.region import RegionWatch
from keisan.control.region_capacity import TreeSource
from keisan.domain.access import ProviderScope
from keisan.domain.capacity import CapacityKind
from tests.control.region_world import (
    RegionWorld,
    count,
    draw,
    found_three,
    read_devices,
)
from tests.control.town import Country
from tests.factories import create_survey_line


@pytest.fixture
async def world(tmp_path: Path, migrated_file: Path) -> AsyncIterator[RegionWorld]:
    country = Country(tmp_path, migrated_file)
    yield RegionWorld(country)
    await country.end()


async def test_a_device_of_two_platforms_is_counted_once_as_the_first_s(world: RegionWorld) -> None:
    nation = await world.found("cn")
    shanxi = await world.found("sx", nation, "CN-SX")
    shanghai = await world.found("sh", nation, "CN-SH")
    await shanxi.add_site("CN-SX", ["a", "b", "shared", "d"])
    world.country.connect(shanxi.town)
    await world.step_until(lambda: count(nation, "CN-SX") == 4, "the first has come")
    site = await shanghai.add_site("CN-SH", ["e", "f", "shared", "h"])
    world.country.connect(shanghai.town)
    await world.step_until(lambda: bool(nation.regions.counted.shared), "the second reports the same device")
    [shared] = nation.regions.counted.shared
    assert (shared.reporter_id, shared.site_id, shared.device_count) == (shanghai.town.id, site.id, 1)
    assert (shared.owner_ids, shared.is_whole) == ((shanxi.town.id,), False)
    view = await draw(nation)
    assert read_devices(view, CapacityKind.CONNECTED) == 7
    assert read_devices(view, CapacityKind.CONNECTED, "CN-SH") == 3
    # It stays the first's after a restart, whatever comes first then.
    nation.regions = RegionWatch(nation.watch, nation.regions.sources)
    await nation.step()
    assert [each.owner_ids for each in nation.regions.counted.shared] == [(shanxi.town.id,)]
    # Gone from the first, it is the second's.
    [first_site] = shanxi.watch.fleet.sites.values()
    first_site.columns.is_retired[2] = True
    world.clock.ahead_s += 11
    await world.step_until(lambda: not nation.regions.counted.shared, "the first has retired it")
    assert read_devices(await draw(nation), CapacityKind.CONNECTED, "CN-SH") == 4


async def test_a_site_of_two_platforms_is_counted_once(world: RegionWorld) -> None:
    nation = await world.found("cn")
    shanxi = await world.found("sx", nation, "CN-SX")
    industry = await world.found("power", nation)
    site = await shanxi.add_site("CN-SX", ["a", "b"])
    world.country.connect(shanxi.town)
    await world.step_until(lambda: count(nation, "CN-SX") == 2, "the first has come")
    await industry.add_site("CN-SX", ["c", "d"], site=site)
    world.country.connect(industry.town)
    await world.step_until(lambda: bool(nation.regions.counted.losers), "the second reports the same site")
    assert read_devices(await draw(nation), CapacityKind.CONNECTED) == 2
    [shared] = nation.regions.counted.shared
    assert (shared.is_whole, shared.owner_ids, shared.device_count) == (True, (shanxi.town.id,), 2)


async def test_a_survey_counts_once_a_region(world: RegionWorld) -> None:
    nation = await world.found("cn")
    shanxi = await world.found("sx", nation, "CN-SX")
    line = create_survey_line()
    facility = replace(line.facility, region="CN-SX", device_count=100)
    async with shanxi.town.storage.write() as transaction:
        await transaction.surveys.insert(replace(line, platform_id=shanxi.town.id, facility=facility))
    world.country.connect(shanxi.town)
    await world.step_until(
        lambda: (
            bool(nation.regions.hearing.platforms) and nation.regions.hearing.list_platforms()[0].summary is not None
        ),
        "the summary has come",
    )
    assert read_devices(await draw(nation), CapacityKind.SURVEYED, "CN-SX") == 100
    own = replace(create_survey_line(), facility=replace(line.facility, region="CN-SX", device_count=70))
    async with nation.town.storage.write() as transaction:
        await transaction.surveys.insert(replace(own, platform_id=nation.town.id))
    assert read_devices(await draw(nation), CapacityKind.SURVEYED, "CN-SX") == 70


async def test_providers_see_their_own_alone(world: RegionWorld) -> None:
    nation, _, _ = await found_three(world)
    await world.step_until(lambda: count(nation, "CN-SX") == 6, "the nation sees six devices")
    [site] = nation.watch.fleet.sites.values()
    scope = ProviderScope(site.place.provider_id)
    for source in nation.regions.sources:
        if source.kind is CapacityKind.CONNECTED:
            reading = await TreeSource(source, nation.regions).read_capacity(nation.watch.control, scope)
            assert reading is not None
            assert {row.region for row in reading.rows} == {"CN-BJ"}
