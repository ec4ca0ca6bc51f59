"""Sites: the time of the last report is written one way only, and never backwards."""

from dataclasses import replace
from datetime import timedelta

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.engine import EngineProfile, RunningUsage
from keisan.domain.verdict import Verdict
from keisan.storage.database import Database
from tests.factories import NOW, create_site, plant_world

EVERYTHING = PlatformScope()


async def test_report_time_never_goes_back(storage: Database) -> None:
    world = await plant_world(storage)
    site = replace(create_site(world.left.provider, "new"), reported_at=None)
    later = NOW + timedelta(seconds=5)
    async with storage.write() as transaction:
        await transaction.sites.insert(site)
        await transaction.sites.mark_reported(site.id, later)
        await transaction.sites.mark_reported(site.id, NOW)
        stale = replace(site, verdict=Verdict.UNKNOWN, version=2)
        await transaction.sites.update(stale)
    async with storage.read() as view:
        assert await view.sites.get(EVERYTHING, site.id) == replace(stale, reported_at=later)
        assert await view.sites.get(EVERYTHING, world.left.site.id) == world.left.site


async def test_engines_come_back_whole(storage: Database) -> None:
    world = await plant_world(storage)
    engines = {
        "vllm": EngineProfile(RunningUsage.CONTINUOUS_USAGE, 60, 1000, is_usage_summed_over_choices=True),
        "llama_cpp": EngineProfile(RunningUsage.LLAMA_CPP_TIMINGS, 5, 100, is_usage_summed_over_choices=False),
    }
    site = replace(create_site(world.left.provider, "new"), engines=engines)
    async with storage.write() as transaction:
        await transaction.sites.insert(site)
    async with storage.read() as view:
        found = await view.sites.get(EVERYTHING, site.id)
    assert found == site
    assert isinstance(found.engines["vllm"].running_usage, RunningUsage)


async def test_all_sites_within_the_scope(storage: Database) -> None:
    world = await plant_world(storage)
    async with storage.read() as view:
        assert await view.sites.list_all(EVERYTHING) == (world.left.site, world.right.site)
        assert await view.sites.list_all(ProviderScope(world.right.provider.id)) == (world.right.site,)
        assert await view.sites.list_all(OrganizationScope(world.left.organization.id)) == ()
