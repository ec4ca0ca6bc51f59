"""Development through the client."""

import pytest

from keisan.domain.errors import InvalidInput
from keisan.sdk import AsyncKeisan
from tests.api.stage import Stage


async def test_a_month_is_drawn(stage: Stage, admin: AsyncKeisan) -> None:
    view = await admin.development.get(stage.site.region, "2026-11")
    assert (view.region, view.since.isoformat()) == (stage.site.region, "2026-11-01")
    assert {"calls", "fill_permille", "device_mean_utilization_permille"} <= {each.name for each in view.figures}
    with pytest.raises(InvalidInput):
        await admin.development.get(month="2026")
