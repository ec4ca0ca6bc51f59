"""Commands on organizations: by the platform's admin only, each with its event."""

import pytest

from keisan.control.context import Control
from keisan.control.organization import create_organization, rename_organization
from keisan.domain.access import Role
from keisan.domain.errors import AlreadyExists, PermissionDenied, VersionMismatch
from keisan.wire.organization import OrganizationCreate, OrganizationUpdate
from tests.control.people import EVERYTHING, add_key, count_actions, list_events
from tests.factories import World


async def test_create_is_stored_with_its_event(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    created = await create_organization(control, admin, OrganizationCreate(name="gamma"))
    async with control.storage.read() as view:
        assert await view.organizations.get(EVERYTHING, created.id) == created
    event = (await list_events(control))[-1]
    assert (event.action, event.actor, event.noun_id) == ("organization.created", f"key:{admin.id}", created.id)
    with pytest.raises(AlreadyExists):
        await create_organization(control, admin, OrganizationCreate(name="gamma"))
    assert (await count_actions(control))["organization.created"] == 1


@pytest.mark.parametrize("role", set(Role) - {Role.PLATFORM_ADMIN})
async def test_others_may_not(control: Control, world: World, role: Role) -> None:
    provider_id = world.left.provider.id if role is Role.PROVIDER else None
    asker = await add_key(control, world.left.project, role, provider_id)
    with pytest.raises(PermissionDenied):
        await create_organization(control, asker, OrganizationCreate(name="gamma"))
    with pytest.raises(PermissionDenied):
        await rename_organization(control, asker, world.left.organization.id, 1, OrganizationUpdate(name="gamma"))


async def test_rename_needs_the_version_seen(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    stored = world.left.organization
    renamed = await rename_organization(control, admin, stored.id, 1, OrganizationUpdate(name="gamma"))
    assert (renamed.name, renamed.version) == ("gamma", 2)
    with pytest.raises(VersionMismatch):
        await rename_organization(control, admin, stored.id, 1, OrganizationUpdate(name="delta"))
    event = (await list_events(control))[-1]
    assert event.detail == {"name": "gamma", "previous_name": stored.name}
