"""The platform through the client."""

from keisan.sdk import AsyncKeisan
from tests.api.stage import Stage


async def test_get_and_check(stage: Stage, admin: AsyncKeisan) -> None:
    assert (await admin.platform.get()).id == stage.control.platform_id
    assert (await admin.platform.check()).status == "ok"
