"""Commands on records of facilities: whose sites, which day, all of a table or none of it."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from keisan.control.context import Control
from keisan.control.facility import record_facility, upload_facilities
from keisan.domain.access import Principal, Role
from keisan.domain.errors import InvalidInput, NotFound, PermissionDenied, TableInvalid
from keisan.domain.facility import Facility, FacilityFilter
from keisan.wire.facility import FacilityWrite, UploadAnswer
from tests.control.people import EVERYTHING, add_key, count_actions
from tests.factories import NOW, World

YESTERDAY = NOW - timedelta(days=1)


@pytest.fixture
async def provider(control: Control, world: World) -> Principal:
    return await add_key(control, world.left.project, Role.PROVIDER, world.left.provider.id)


async def list_records(control: Control) -> list[Facility]:
    async with control.storage.read() as view:
        return list(await view.facilities.list_between(EVERYTHING, FacilityFilter()))


async def test_provider_records_its_own_site_only(control: Control, world: World, provider: Principal) -> None:
    body = FacilityWrite(measured_at=YESTERDAY, standard_racks=4, standard_racks_in_use=1, ports={"400": 2})
    kept = await record_facility(control, provider, world.left.site.id, body)
    assert (kept.day, kept.recorded_by, kept.recorded_at) == (YESTERDAY.date(), provider.id, NOW)
    assert (kept.figures.fill_permille, kept.figures.ports) == (250, {"400": 2})
    with pytest.raises(NotFound):
        await record_facility(control, provider, world.right.site.id, body)
    assert await count_actions(control) == {"facility.recorded": 1}
    assert len(await list_records(control)) == 3


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ORGANIZATION_ADMIN, Role.DEVELOPER])
async def test_others_may_not(control: Control, world: World, role: Role) -> None:
    who = await add_key(control, world.left.project, role)
    with pytest.raises(PermissionDenied):
        await record_facility(control, who, world.left.site.id, FacilityWrite(measured_at=YESTERDAY))
    with pytest.raises(PermissionDenied):
        await upload_facilities(control, who, b"")


async def test_day_is_that_of_utc(control: Control, world: World, provider: Principal) -> None:
    evening = datetime(2026, 11, 20, 6, tzinfo=timezone(timedelta(hours=9)))
    kept = await record_facility(control, provider, world.left.site.id, FacilityWrite(measured_at=evening))
    assert (str(kept.day), kept.measured_at) == ("2026-11-19", evening.astimezone(UTC))


async def test_same_once_more_and_older_change_nothing(control: Control, world: World, provider: Principal) -> None:
    site_id = world.left.site.id
    first = await record_facility(control, provider, site_id, FacilityWrite(measured_at=YESTERDAY, power_w=1))
    again = await record_facility(control, provider, site_id, FacilityWrite(measured_at=YESTERDAY, power_w=1))
    hour = timedelta(hours=1)
    older = await record_facility(control, provider, site_id, FacilityWrite(measured_at=YESTERDAY - hour, power_w=2))
    assert first == again == older
    newer = await record_facility(control, provider, site_id, FacilityWrite(measured_at=YESTERDAY + hour, power_w=3))
    assert (newer.id, newer.version, newer.figures.power_w) == (first.id, 2, 3)
    assert await count_actions(control) == {"facility.recorded": 2}


async def test_instant_to_come_and_figures_that_cannot_be_are_refused(
    control: Control, world: World, provider: Principal
) -> None:
    site_id = world.left.site.id
    bodies = {
        "measured_at": FacilityWrite(measured_at=NOW + timedelta(seconds=3601)),
        "pue_permille": FacilityWrite(measured_at=NOW, pue_permille=1),
    }
    for field, body in bodies.items():
        with pytest.raises(InvalidInput) as refusal:
            await record_facility(control, provider, site_id, body)
        assert refusal.value.field == field
    assert await count_actions(control) == {}


def write_table(*lines: str) -> bytes:
    return "\n".join(["site,measured_at,power_w,pue_permille,ports_400g", *lines]).encode()


async def test_table_is_taken_whole_and_once(control: Control, world: World, provider: Principal) -> None:
    site = world.left.site.name
    table = write_table(
        f"{site},2026-11-20T12:00:00Z,10,1300,4", f"{site},2026-11-21T12:00:00Z,,,", f"{site},{NOW.isoformat()},7,,"
    )
    answer = await upload_facilities(control, provider, table)
    assert answer == UploadAnswer(created_count=2, changed_count=1, unchanged_count=0)
    stored = await list_records(control)
    assert await upload_facilities(control, provider, table) == UploadAnswer(
        created_count=0, changed_count=0, unchanged_count=3
    )
    older = write_table(f"{site},2026-11-20T11:00:00Z,11,,")
    assert (await upload_facilities(control, provider, older)).older_count == 1
    assert await list_records(control) == stored
    assert stored[0].figures.ports == {"400": 4}
    assert await count_actions(control) == {"facility.uploaded": 1}


async def test_every_bad_line_is_told_and_nothing_is_taken(control: Control, world: World, provider: Principal) -> None:
    site, stored = world.left.site.name, await list_records(control)
    table = write_table(
        f"{site},2026-11-20T12:00:00Z,10,1300,4",
        f"{site},2026-11-20T13:00:00Z,10,1300,4",
        f"{world.right.site.id},2026-11-20T12:00:00Z,10,1300,4",
        f"{site},2026-11-21T12:00:00Z,10,900,4",
        f"{site},2026-11-22 noon,10,1300,-1",
        f"{site},2100-01-01T00:00:00Z,10,1300,4",
    )
    with pytest.raises(TableInvalid) as refusal:
        await upload_facilities(control, provider, table)
    assert [place for place, _ in refusal.value.faults] == [
        "lines[3].measured_at",
        "lines[4].site",
        "lines[5].pue_permille",
        "lines[6].measured_at",
        "lines[6].ports_400g",
        "lines[7].measured_at",
    ]
    assert refusal.value.faults[4][1] == "expected greater than or equal to 0, got '-1'"
    assert await list_records(control) == stored
    assert await count_actions(control) == {}
