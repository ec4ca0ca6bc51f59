"""Daily sums on both databases: by local day, holder and currency, exact, and within the scope."""

from datetime import datetime, timedelta

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope, Scope
from keisan.domain.forecast import DaySum, build_calendar
from keisan.domain.holder import Holder
from keisan.domain.usage import PostedRecord
from keisan.storage.database import Database
from tests.domain.samples import build_posted, create_record_id
from tests.factories import NOW, Side, World, create_record, plant_world

EVERYTHING = PlatformScope()
TOKYO = build_calendar(NOW, "Asia/Tokyo")
HUGE = 10**37


async def insert(storage: Database, world: World, side: Side, *calls: tuple[datetime, int, str]) -> list[PostedRecord]:
    posted = []
    for instant, amount_nano, currency in calls:
        record = create_record(side.key, world.price, side.replica, world.gateway)._replace(
            id=create_record_id(instant), day=instant.date(), admitted_at=instant, amount_nano=amount_nano
        )
        posted.append(build_posted(record, entry_id=None, currency=currency))
    async with storage.write() as transaction:
        await transaction.usage.insert_many(posted)
    return posted


async def sum_days(storage: Database, side: Side, *holders: Holder, scope: Scope = EVERYTHING) -> list[DaySum]:
    async with storage.read() as view:
        return list(await view.forecasts.sum_days(scope, side.organization.id, holders, TOKYO.begun))


async def test_days_begin_and_end_where_the_time_zone_says(storage: Database) -> None:
    world = await plant_world(storage)
    left, owner = world.left, Holder(world.left.organization.id)
    planted = await sum_days(storage, left, owner)
    assert [each.amount_nano for each in planted] == [30_500]
    day = TOKYO.begun[3]
    first, last = TOKYO.begun[0].starts_at, TOKYO.begun[-1].ends_at
    millisecond = timedelta(milliseconds=1)
    await insert(
        storage,
        world,
        left,
        (first - millisecond, 1, "CNY"),
        (first, 2, "CNY"),
        (day.starts_at - millisecond, 4, "CNY"),
        (day.starts_at, 8, "CNY"),
        (day.starts_at + timedelta(hours=9), HUGE, "CNY"),
        (day.ends_at - millisecond, HUGE, "CNY"),
        (day.ends_at, 16, "JPY"),
        (last, 32, "CNY"),
    )
    assert await sum_days(storage, left, owner) == [
        DaySum(owner.id, "CNY", TOKYO.begun[0].day, 2),
        DaySum(owner.id, "CNY", TOKYO.begun[2].day, 4),
        DaySum(owner.id, "CNY", day.day, 8 + 2 * HUGE),
        *planted,
        DaySum(owner.id, "JPY", TOKYO.begun[4].day, 16),
    ]


async def test_each_holder_has_its_own_and_what_is_under_it(storage: Database) -> None:
    world = await plant_world(storage)
    left, right = world.left, world.right
    holders = (
        Holder(left.organization.id),
        Holder(left.organization.id, left.project.id),
        Holder(left.organization.id, left.project.id, left.key.id),
        Holder(left.organization.id, right.project.id),
    )
    found = await sum_days(storage, left, *holders)
    assert [each.holder_id for each in found] == [left.organization.id, left.project.id, left.key.id]
    assert {each.amount_nano for each in found} == {30_500}
    assert await sum_days(storage, left) == []


async def test_what_suspense_paid_for_is_not_counted(storage: Database) -> None:
    world = await plant_world(storage)
    [posted] = await insert(storage, world, world.left, (NOW, 7, "JPY"))
    owner = Holder(world.left.organization.id)
    assert [each.amount_nano for each in await sum_days(storage, world.left, owner)] == [30_500, 7]
    async with storage.write() as transaction:
        await transaction.usage.suspend_many({posted.record.id: "late"}, [posted], NOW)
    assert [each.amount_nano for each in await sum_days(storage, world.left, owner)] == [30_500]


@pytest.mark.parametrize("side", ["left", "right"])
async def test_nobody_sees_what_another_spent(storage: Database, side: str) -> None:
    world = await plant_world(storage)
    owner = Holder(world.left.organization.id)
    asker: Side = getattr(world, side)
    seen = await sum_days(storage, world.left, owner, scope=OrganizationScope(asker.organization.id))
    assert bool(seen) == (side == "left")
    assert await sum_days(storage, world.left, owner, scope=ProviderScope(asker.provider.id)) == []


def test_calendar_of_the_tests_has_a_month_and_four_weeks() -> None:
    assert TOKYO.begun[0].day <= TOKYO.today.day - timedelta(days=29)
    assert TOKYO.begun[-1] == TOKYO.today
    assert [each.day for each in TOKYO.begun] == [
        TOKYO.begun[0].day + timedelta(days=number) for number in range(len(TOKYO.begun))
    ]
