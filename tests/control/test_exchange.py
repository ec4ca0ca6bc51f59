"""The five exchanges of a join, ticked off as a platform below tells."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from keisan.control.exchange import list_exchanges
from keisan.domain.access import Role
from keisan.domain.capacity import CapacityKind
from keisan.domain.errors import NotFound
from keisan.domain.exchange import Exchange, ExchangeState
from tests.control.region_world import RegionWorld, find_exchange
from tests.control.town import Country
from tests.factories import create_key, create_organization, create_project


@pytest.fixture
async def world(tmp_path: Path, migrated_file: Path) -> AsyncIterator[RegionWorld]:
    country = Country(tmp_path, migrated_file)
    yield RegionWorld(country)
    await country.end()


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
    await world.cut(shanxi, nation)
    world.clock.ahead_s += 16
    await nation.step()
    assert find_exchange(nation, shanxi, Exchange.PLATFORM) == (ExchangeState.PARTLY, ("it is not heard",))
    with pytest.raises(NotFound):
        list_exchanges(nation.regions, admin, "f" * 64)
