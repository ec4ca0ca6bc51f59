"""What takes two admins: set by the platform's admin alone, with an event that tells both values."""

import pytest

from keisan.control.context import Control
from keisan.control.platform import update_platform
from keisan.domain.access import Role
from keisan.domain.errors import InvalidInput, PermissionDenied, VersionMismatch
from keisan.wire.platform import PlatformUpdate
from tests.control.people import add_key, list_events
from tests.factories import World


async def test_limits_are_set_by_currency_and_taken_away(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    first = PlatformUpdate(four_eyes_nano={"CNY": 2**70, "USD": 5})
    assert (await update_platform(control, admin, 1, first)).four_eyes_nano == {"CNY": 2**70, "USD": 5}
    second = PlatformUpdate(four_eyes_nano={"CNY": None, "EUR": 0})
    changed = await update_platform(control, admin, 2, second)
    assert (changed.four_eyes_nano, changed.version) == ({"EUR": 0, "USD": 5}, 3)
    async with control.storage.read() as view:
        assert await view.platform.get() == changed
    event = (await list_events(control))[-1]
    assert (event.action, event.actor) == ("platform.updated", f"key:{admin.id}")
    assert event.detail == {
        "four_eyes_nano.CNY": "",
        "previous_four_eyes_nano.CNY": str(2**70),
        "four_eyes_nano.EUR": "0",
        "previous_four_eyes_nano.EUR": "",
    }


@pytest.mark.parametrize("role", set(Role) - {Role.PLATFORM_ADMIN})
async def test_others_may_not(control: Control, world: World, role: Role) -> None:
    provider_id = world.left.provider.id if role is Role.PROVIDER else None
    asker = await add_key(control, world.left.project, role, provider_id)
    with pytest.raises(PermissionDenied):
        await update_platform(control, asker, 1, PlatformUpdate(four_eyes_nano={"CNY": None}))


async def test_old_version_and_less_than_nothing_are_refused(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    with pytest.raises(VersionMismatch):
        await update_platform(control, admin, 2, PlatformUpdate(four_eyes_nano={"CNY": 1}))
    with pytest.raises(InvalidInput):
        await update_platform(control, admin, 1, PlatformUpdate(four_eyes_nano={"CNY": -1}))
