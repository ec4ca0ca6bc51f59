"""Tables of many facilities, claims and surveys on both databases: taken whole, the same twice, and none of a bad one."""

from datetime import UTC, datetime, timedelta

import pytest

from keisan.control.capacity import draw_capacity
from keisan.control.claim import upload_claims
from keisan.control.context import Control
from keisan.control.facility import upload_facilities
from keisan.control.survey import upload_surveys
from keisan.domain.access import Role
from keisan.domain.capacity import CapacityFigure, CapacityKey, CapacityKind
from keisan.domain.errors import TableInvalid
from keisan.domain.facility import FacilityFilter, choose_month_ends
from keisan.storage.database import Database
from tests.control.people import EVERYTHING, add_key
from tests.factories import SIGNER, FixedClock, create_site, plant_world

DAYS = 1200
FIRST = datetime(2023, 1, 1, 12, tzinfo=UTC)


async def test_tables_are_taken_whole_and_the_same_twice(storage: Database, clock: FixedClock) -> None:
    world = await plant_world(storage)
    control = Control(storage, clock, world.platform.id, signer=SIGNER)
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    site = create_site(world.right.provider, "large")
    async with storage.write() as transaction:
        await transaction.sites.insert(site)
    days = [FIRST + timedelta(days=age) for age in range(DAYS)]
    table = ["site,measured_at,standard_racks,standard_racks_in_use,ports_400g,address"]
    table += [f"large,{day.isoformat()},{1000 + age},{age % 1000},{age},計算 {age}" for age, day in enumerate(days)]
    created = await upload_facilities(control, admin, "\n".join(table).encode())
    again = await upload_facilities(control, admin, "\n".join(table).encode())
    assert (created.created_count, again.unchanged_count, again.created_count) == (DAYS, DAYS, 0)
    async with storage.read() as view:
        records = await view.facilities.list_between(EVERYTHING, FacilityFilter(until=days[-1].date()))
    assert [record.figures.standard_racks for record in records] == [1000 + age for age in range(DAYS)]
    months = {(day.year, day.month): day.date() for day in days}
    assert [record.day for record in choose_month_ends(records)] == list(months.values())
    assert records[7].figures.address == "計算 7"

    chips = ["site,chip,device_count,pflops_fp16", *(f"large,chip-{n},{n},{n}.000001" for n in range(300))]
    assert (await upload_claims(control, admin, "\n".join(chips).encode())).created_count == 300
    assert (await upload_claims(control, admin, "\n".join(chips).encode())).unchanged_count == 300
    surveys = ["region,owner,device_count,source,date,grade", *(f"CN-SX,o{n},{n},S,2026-01-01,C" for n in range(300))]
    assert (await upload_surveys(control, admin, "\n".join(surveys).encode())).created_count == 300
    assert (await upload_surveys(control, admin, "\n".join(surveys).encode())).unchanged_count == 300

    view_of = (await draw_capacity(control, EVERYTHING, CapacityKey.REGION)).total.kinds
    devices = {kind: found.figures[CapacityFigure.DEVICE_COUNT].value for kind, found in view_of.items()}
    # The planted world has 16 claimed and 100 surveyed devices of its own.
    assert devices == {CapacityKind.REGISTERED: 16 + 44_850, CapacityKind.SURVEYED: 100 + 44_850}

    bad = "\n".join([*surveys[:5], "CN-SX,o,-1,S,2026-01-01,C", *surveys[5:9]])
    with pytest.raises(TableInvalid, match="line 6, device_count"):
        await upload_surveys(control, admin, bad.encode())
    async with storage.read() as view:
        assert len(await view.surveys.list_all(EVERYTHING)) == 301
