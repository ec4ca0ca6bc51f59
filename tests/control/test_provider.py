"""Commands on providers."""

import pytest

from keisan.control.context import Control
from keisan.control.provider import create_provider
from keisan.domain.access import Role
from keisan.domain.errors import AlreadyExists, PermissionDenied
from keisan.wire.provider import ProviderCreate
from tests.control.people import EVERYTHING, add_key, count_actions
from tests.factories import World


async def test_admin_creates_each_name_once(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    created = await create_provider(control, admin, ProviderCreate(name="yama"))
    async with control.storage.read() as view:
        assert await view.providers.get(EVERYTHING, created.id) == created
    with pytest.raises(AlreadyExists):
        await create_provider(control, admin, ProviderCreate(name="yama"))
    assert (await count_actions(control))["provider.created"] == 1


async def test_provider_makes_no_providers(control: Control, world: World) -> None:
    asker = await add_key(control, world.left.project, Role.PROVIDER, world.left.provider.id)
    with pytest.raises(PermissionDenied):
        await create_provider(control, asker, ProviderCreate(name="yama"))
