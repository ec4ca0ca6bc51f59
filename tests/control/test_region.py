"""Regions of a tree over real links and disks: told once, passed on, unknown when cut, counted once whoever reports them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from keisan.control.capacity import draw_capacity
from keisan.control.exchange import list_exchanges
from keisan.control.region import RegionWatch
from keisan.control.region_capacity import TreeSource
from keisan.domain.access import PlatformScope, ProviderScope, Role
from keisan.domain.capacity import CapacityFigure, CapacityKey, CapacityKind
from keisan.domain.errors import NotFound
from keisan.domain.exchange import Exchange, ExchangeState
from keisan.domain.letter import LetterKind
from keisan.domain.roll_up import CountName
from keisan.domain.sample import SampleName
from keisan.domain.verdict import Verdict
from keisan.wire.capacity import CapacityView
from keisan.wire.region import read_rollup
from tests.control.region_world import Region, RegionWorld
from tests.control.town import Country
from tests.factories import create_key, create_organization, create_project, create_survey_line

EVERYTHING = PlatformScope()


@pytest.fixture
async def world(tmp_path: Path, migrated_file: Path) -> AsyncIterator[RegionWorld]:
    country = Country(tmp_path, migrated_file)
    yield RegionWorld(country)
    await country.end()


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
    await taiyuan.add_site("CN-SX", ["t1", "t2", "t3", "t4"])
    for each in (shanxi, taiyuan):
        world.country.connect(each.town)
    return nation, shanxi, taiyuan


async def test_regions_of_all_levels_are_shown_once_with_where_they_are_from(world: RegionWorld) -> None:
    nation, shanxi, taiyuan = await found_three(world)
    await world.step_until(lambda: count(nation, "CN-SX", CountName.OK) == 6, "the nation sees six devices")
    found = nation.read()["CN-SX"]
    told = {source.platform_name: (source.device_count, source.is_heard, source.verdict) for source in found.sources}
    assert told == {"sx": (2, True, Verdict.OK), "sx.ty": (4, True, Verdict.OK)}
    assert found.sums[SampleName.POWER_MILLIWATTS].total == 6000
    assert count(nation, "CN-BJ") == 1
    assert nation.read()["CN-BJ"].sources == ()
    # The province's own roll-up has nothing of its child's in it, and shows both to its own people.
    assert count(shanxi, "CN-SX") == 6
    world.clock.ahead_s += 6
    await world.step()
    async with shanxi.town.storage.read() as view:
        told_rollups = await view.registers.list_kind(EVERYTHING, LetterKind.ROLL_UP)
    [own] = [letter for letter in told_rollups if letter.author == shanxi.town.id]
    assert read_rollup(own).counts[CountName.DEVICES] == 2
    assert list(taiyuan.read()["CN-SX"].sources) == []
    drawn = await draw(nation)
    assert read_devices(drawn, CapacityKind.CONNECTED) == 7
    assert read_devices(drawn, CapacityKind.CONNECTED, "CN-SX") == 6
    assert read_devices(drawn, CapacityKind.SCHEDULABLE, "CN-SX") == 6


async def test_no_word_of_a_device_leaves(world: RegionWorld) -> None:
    nation, shanxi, taiyuan = await found_three(world)
    await world.step_until(lambda: count(nation, "CN-SX") == 6, "the nation sees six devices")
    bodies = await read_bodies(nation, taiyuan)
    assert {kind for kind, _ in bodies} == {LetterKind.ROLL_UP, LetterKind.INVENTORY, LetterKind.SCENARIO}
    everything = b"".join(bodies.values())
    for word in (b"t1", b"node-0", b"A Device", b"organization "):
        assert word not in everything
    assert (await read_bodies(taiyuan, shanxi)) == {}


async def test_only_what_changed_is_told_and_a_sign_of_life_now_and_then(world: RegionWorld) -> None:
    _, shanxi, _ = await found_three(world)
    telling = shanxi.regions.telling
    assert await telling.tell(is_parent_there=True) == 5
    assert await telling.tell(is_parent_there=True) == 0
    world.clock.ahead_s += 2
    shanxi.watch.fleet.roll_up(shanxi.watch.read_moment())
    assert await telling.tell(is_parent_there=True) == 0
    world.clock.ahead_s += 4
    shanxi.watch.fleet.roll_up(shanxi.watch.read_moment())
    assert await telling.tell(is_parent_there=True) == 1
    world.clock.ahead_s += 10
    shanxi.watch.fleet.roll_up(shanxi.watch.read_moment())
    assert await telling.tell(is_parent_there=True) == 1


async def test_a_cut_region_is_unknown_and_never_gone_and_comes_back_whole(world: RegionWorld) -> None:
    nation, shanxi, taiyuan = await found_three(world)
    await world.step_until(lambda: count(nation, "CN-SX", CountName.OK) == 6, "the nation sees six devices")
    world.country.cut(taiyuan.town)
    before = nation.read()["CN-SX"].sources[1].heard_at
    world.clock.ahead_s += 16
    await world.step_until(lambda: count(nation, "CN-SX", CountName.OK) == 2, "the city is not heard")
    found = nation.read()["CN-SX"]
    assert (found.counts[CountName.DEVICES], found.counts[CountName.UNKNOWN], found.verdict) == (6, 4, Verdict.OK)
    city = found.sources[1]
    assert (city.is_heard, city.verdict, city.heard_at, city.device_count) == (False, Verdict.UNKNOWN, before, 4)
    assert found.sums[SampleName.POWER_MILLIWATTS].devices == 2
    view = await draw(nation)
    assert read_devices(view, CapacityKind.CONNECTED, "CN-SX") == 6
    line = next(line for line in view.lines if line.value == "CN-SX")
    free = line.kinds[CapacityKind.SCHEDULABLE].figures[CapacityFigure.DEVICE_COUNT]
    assert (free.value, free.untold_rows) == (2, 2)
    # All of it is silent when the province is, too, and nothing is nought.
    world.country.cut(shanxi.town)
    world.clock.ahead_s += 16
    await nation.step()
    assert nation.read()["CN-SX"].verdict is Verdict.UNKNOWN
    assert (count(nation, "CN-SX"), count(nation, "CN-SX", CountName.UNKNOWN)) == (6, 6)
    world.country.connect(shanxi.town)
    world.country.connect(taiyuan.town)
    await world.step_until(lambda: count(nation, "CN-SX", CountName.OK) == 6, "it is back, whole")


async def test_another_process_knows_what_was_told_and_that_it_has_heard_nobody(world: RegionWorld) -> None:
    nation, shanxi, taiyuan = await found_three(world)
    await world.step_until(lambda: count(nation, "CN-SX", CountName.OK) == 6, "the nation sees six devices")
    for each in (shanxi, taiyuan):
        world.country.cut(each.town)
    again = RegionWatch(nation.watch, nation.regions.sources)
    nation.regions = again
    await nation.step()
    found = nation.read()["CN-SX"]
    assert (found.counts[CountName.DEVICES], found.verdict) == (6, Verdict.UNKNOWN)
    assert all(source.heard_at is not None and not source.is_heard for source in found.sources)


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


async def test_nobody_speaks_of_a_region_that_is_not_vouched_for(world: RegionWorld) -> None:
    nation = await world.found("cn")
    shanxi = await world.found("sx", nation, "CN-SX")
    await shanxi.add_site("CN-SH", ["a"])
    await shanxi.add_site("CN-SX", ["b"], name="other")
    world.country.connect(shanxi.town)
    await world.step_until(lambda: count(nation, "CN-SX") == 1, "its own region has come")
    assert count(nation, "CN-SH") == -1
    assert read_devices(await draw(nation), CapacityKind.CONNECTED) == 1
    missing = find_exchange(nation, shanxi, Exchange.RESOURCES)
    assert missing == (
        ExchangeState.PARTLY,
        ("sites without an inventory", "it speaks of a region that is not its own"),
    )


async def test_what_cannot_be_read_is_told_and_harms_nothing_else(world: RegionWorld) -> None:
    nation = await world.found("cn")
    shanxi = await world.found("sx", nation, "CN-SX")
    for name, body in (("CN-SX", b"[1]"), ("CN-SX", b"[1e99,0,0,null,[5],[],[]]")):
        await shanxi.town.put(LetterKind.ROLL_UP, name, body)
    await shanxi.town.put(LetterKind.INVENTORY, "no site", b"{}")
    await shanxi.town.put(LetterKind.INVENTORY, "platform", b'{"model_count":true,"models":["m"],"site_count":-1}')
    world.country.connect(shanxi.town)
    await world.step_until(lambda: bool(nation.regions.hearing.list_platforms()[0].faults), "a fault is told")
    assert "no site" in nation.regions.hearing.list_platforms()[0].faults
    assert nation.read() == {}


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


def find_exchange(region: Region, of: Region, exchange: Exchange) -> tuple[ExchangeState, tuple[str, ...]]:
    key = replace(create_key(create_project(create_organization())), role=Role.PLATFORM_ADMIN)
    [found] = list_exchanges(region.regions, key.to_principal(), of.town.id).items
    line = next(line for line in found.exchanges if line.exchange is exchange)
    return line.state, line.missing


async def test_exchanges_are_ticked_off_as_they_come(world: RegionWorld) -> None:
    nation = await world.found("cn")
    shanxi = await world.found("sx", nation, "CN-SX")
    await nation.step()
    for exchange in Exchange:
        assert find_exchange(nation, shanxi, exchange)[0] is ExchangeState.NOT_YET
    await shanxi.add_site("CN-SX", ["a"])
    world.country.connect(shanxi.town)
    await world.step_until(
        lambda: find_exchange(nation, shanxi, Exchange.RESOURCES)[0] is ExchangeState.DONE, "resources are told"
    )
    assert find_exchange(nation, shanxi, Exchange.PLATFORM) == (ExchangeState.DONE, ())
    assert find_exchange(nation, shanxi, Exchange.SUBJECTS) == (ExchangeState.DONE, ())
    assert find_exchange(nation, shanxi, Exchange.ECOSYSTEM)[1] == ("no model offered", "no engine")
    assert find_exchange(nation, shanxi, Exchange.SCENARIOS) == (ExchangeState.NOT_YET, ("nothing is deployed",))
    await world.step()
    admin = replace(create_key(create_project(create_organization())), role=Role.PLATFORM_ADMIN).to_principal()
    [found] = list_exchanges(nation.regions, admin, None).items
    assert all(line.since is not None for line in found.exchanges)
    assert found.subjects is not None
    assert (found.subjects.organization_count, found.subjects.organizations) == (1, None)
    assert found.device_counts[CapacityKind.CONNECTED] == 1
    world.country.cut(shanxi.town)
    world.clock.ahead_s += 16
    await nation.step()
    assert find_exchange(nation, shanxi, Exchange.PLATFORM) == (ExchangeState.PARTLY, ("it is not heard",))
    with pytest.raises(NotFound):
        list_exchanges(nation.regions, admin, "f" * 64)


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
