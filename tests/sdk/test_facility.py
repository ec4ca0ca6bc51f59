"""Records of facilities through the client."""

from datetime import date

import pytest

from keisan.sdk import AsyncKeisan, FacilityWrite, NotFound, TableInvalid
from tests.api.stage import Stage


async def test_record_is_kept_found_and_uploaded(stage: Stage, admin: AsyncKeisan) -> None:
    site_id = stage.ids["site"]
    kept = await admin.facilities.record(site_id, FacilityWrite(measured_at=stage.clock.now(), power_w=5))
    assert await admin.facilities.get(site_id) == kept
    answer = await admin.facilities.upload(b"site,measured_at\ncellar,2026-11-02T00:00:00Z\n")
    assert answer.created_count == 1
    found = [record.day async for record in admin.facilities.list("JP-13", until=date(2026, 11, 3))]
    assert found == [date(2026, 11, 2)]
    with pytest.raises(NotFound):
        await admin.facilities.get(stage.ids["harbour"])


async def test_bad_table_raises_with_every_line(admin: AsyncKeisan) -> None:
    with pytest.raises(TableInvalid) as refusal:
        await admin.facilities.upload(b"site,measured_at\nnowhere,2026-11-02T00:00:00Z\ncellar,never\n")
    assert [line[:13] for line in refusal.value.outside.splitlines()] == ["line 2, site:", "line 3, measu"]
