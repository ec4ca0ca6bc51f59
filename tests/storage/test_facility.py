"""Records of facilities: found by site and day, by region, and over time; within a scope only."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.facility import Facility, FacilityFilter
from keisan.domain.page import PageRequest
from keisan.storage.database import Database
from tests.factories import NOW, World, create_facility, create_site, plant_world

EVERYTHING = PlatformScope()
TODAY = NOW.date()


async def plant_history(storage: Database, world: World) -> tuple[list[Facility], Facility]:
    """Insert ten earlier days of the left site, and one record of another site of its provider in another region."""
    own = [create_facility(world.left.site, day=TODAY - timedelta(days=age)) for age in range(1, 11)]
    site = replace(create_site(world.left.provider, "far"), region="CN-SX")
    far = create_facility(site)
    async with storage.write() as transaction:
        await transaction.sites.insert(site)
        for record in (*own, far):
            await transaction.facilities.insert(record)
    return own, far


@pytest.mark.parametrize(("since", "until"), [(None, None), (3, None), (None, 8), (8, 3), (3, 8)])
async def test_history_is_bounded_by_days(storage: Database, since: int | None, until: int | None) -> None:
    world = await plant_world(storage)
    own, far = await plant_history(storage, world)

    def place(age: int | None) -> date | None:
        return None if age is None else TODAY - timedelta(days=age)

    wanted = FacilityFilter(since=place(since), until=place(until))
    async with storage.read() as view:
        found = await view.facilities.list_between(ProviderScope(world.left.provider.id), wanted)
        page = await view.facilities.list_filtered(
            ProviderScope(world.left.provider.id), wanted, PageRequest(limit=100)
        )
    everything = [*own, far, world.left.facility]
    expected = [
        record
        for record in everything
        if (wanted.since is None or record.day >= wanted.since) and (wanted.until is None or record.day <= wanted.until)
    ]
    assert list(found) == sorted(expected, key=lambda record: (record.day, record.site_id))
    assert list(page.items) == sorted(expected, key=lambda record: record.id)


async def test_history_is_bounded_by_region_and_scope(storage: Database) -> None:
    world = await plant_world(storage)
    _, far = await plant_history(storage, world)
    region = FacilityFilter(region="CN-SX")
    async with storage.read() as view:
        assert await view.facilities.list_between(EVERYTHING, region) == (far,)
        assert len(await view.facilities.list_between(EVERYTHING, FacilityFilter())) == 13
        for scope in (ProviderScope(world.right.provider.id), OrganizationScope(world.left.organization.id)):
            assert await view.facilities.list_between(scope, region) == ()
            assert await view.facilities.find_latest(scope, far.site_id) is None
            assert await view.facilities.list_days(scope, [(far.site_id, far.day)]) == {}


async def test_pages_of_what_is_wanted_end(storage: Database) -> None:
    world = await plant_world(storage)
    own, _ = await plant_history(storage, world)
    wanted = FacilityFilter(until=TODAY - timedelta(days=1))
    seen: list[Facility] = []
    after = None
    async with storage.read() as view:
        for _ in range(4):
            page = await view.facilities.list_filtered(EVERYTHING, wanted, PageRequest(after, 3))
            seen += page.items
            after = page.next_after
    assert (seen, after) == (sorted(own, key=lambda record: record.id), None)


async def test_days_of_many_sites_are_found_at_once(storage: Database) -> None:
    world = await plant_world(storage)
    own, _ = await plant_history(storage, world)
    pairs = [(world.left.site.id, record.day) for record in own]
    absent = [(world.right.site.id, date(1900, 1, 1) + timedelta(days=n)) for n in range(20_000)]
    async with storage.read() as view:
        found = await view.facilities.list_days(EVERYTHING, [*pairs, *absent])
        assert found == dict(zip(pairs, own, strict=True))
        assert await view.facilities.find_latest(EVERYTHING, world.left.site.id) == world.left.facility
