"""Doors through the client, and the wait for a change of the secret."""

import pytest

from keisan.domain.errors import NotFound, Unavailable
from keisan.sdk import AsyncKeisan
from tests.api.stage import Stage


async def test_rotation_is_asked_for_and_waited_for(stage: Stage, admin: AsyncKeisan) -> None:
    door = await admin.wait_for_door(stage.site.id)
    assert (door.host, door.is_told, door.is_rotating) == ("door.test", True, False)
    assert await admin.doors.get(stage.site.id) == door
    assert (await admin.doors.rotate(stage.site.id)).is_rotating
    with pytest.raises(Unavailable, match="still steady after 2 s"):
        await admin.wait_for_door(stage.site.id, timeout_s=2)


async def test_site_without_a_door(stage: Stage, admin: AsyncKeisan) -> None:
    with pytest.raises(NotFound):
        await admin.doors.get(stage.ids["harbour"])
