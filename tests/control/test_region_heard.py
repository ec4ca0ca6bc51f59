"""What platforms below are heard to say: unknown when they are cut, believed within what is vouched for, read as far as it can be."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keisan.control.region import RegionWatch
from keisan.domain.capacity import CapacityFigure, CapacityKind
from keisan.domain.exchange import Exchange, ExchangeState
from keisan.domain.letter import LetterKind
from keisan.domain.roll_up import CountName
from keisan.domain.sample import SampleName
from keisan.domain.verdict import Verdict
from tests.control.region_world import (
    RegionWorld,
    count,
    draw,
    find_exchange,
    found_three,
    read_devices,
)
from tests.control.town import Country


@pytest.fixture
async def world(tmp_path: Path, migrated_file: Path) -> AsyncIterator[RegionWorld]:
    country = Country(tmp_path, migrated_file)
    yield RegionWorld(country)
    await country.end()


async def test_a_cut_region_is_unknown_and_never_gone_and_comes_back_whole(world: RegionWorld) -> None:
    nation, shanxi, taiyuan = await found_three(world)
    await world.step_until(lambda: count(nation, "CN-SX", CountName.OK) == 6, "the nation sees six devices")
    await world.cut(taiyuan, shanxi)
    # What the province passes on of the city is read before time goes on, or it would be news then.
    await world.country.settle(nation.town)
    await nation.step()
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
    await world.cut(shanxi, nation)
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
    await world.cut(taiyuan, shanxi)
    await world.cut(shanxi, nation)
    again = RegionWatch(nation.watch, nation.regions.sources)
    nation.regions = again
    await nation.step()
    found = nation.read()["CN-SX"]
    assert (found.counts[CountName.DEVICES], found.verdict) == (6, Verdict.UNKNOWN)
    assert all(source.heard_at is not None and not source.is_heard for source in found.sources)


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
    await world.step_until(lambda: "no site" in nation.regions.hearing.list_platforms()[0].faults, "the fault is told")
    assert nation.read() == {}
