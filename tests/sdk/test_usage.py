"""Usage through the client."""

from datetime import date

from keisan.sdk import AsyncKeisan, UsageQuery
from tests.api.stage import Stage


async def test_records_and_sums(stage: Stage, admin: AsyncKeisan) -> None:
    [record] = [line async for line in admin.usage.list()]
    assert await admin.usage.get(stage.ids["record"]) == record
    summary = await admin.usage.sum(UsageQuery(key_id=stage.ids["key"]))
    assert [(line.call_count, line.amount_nano) for line in summary.lines] == [(1, 30500)]
    nothing = UsageQuery(since=date(2020, 1, 1), until=date(2020, 1, 2))
    assert [line async for line in admin.usage.list(nothing)] == []
    assert (await admin.usage.sum(nothing)).lines == ()
