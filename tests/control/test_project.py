"""Commands on projects: within the asker's organization."""

import pytest

from keisan.control.context import Control
from keisan.control.project import create_project, update_project
from keisan.domain.access import Role
from keisan.domain.call_limits import CallLimits
from keisan.domain.errors import AlreadyExists, InvalidInput, NotFound, PermissionDenied
from keisan.wire.call_limits import CallLimitsChange
from keisan.wire.project import ProjectCreate, ProjectUpdate
from tests.control.people import add_key, count_actions, get_version, list_touched
from tests.factories import World


async def test_owner_creates_in_their_own_organization_only(control: Control, world: World) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    created = await create_project(control, owner, ProjectCreate(name="third"))
    assert created.organization_id == world.left.organization.id
    with pytest.raises(NotFound):
        await create_project(control, owner, ProjectCreate(name="third", organization_id=world.right.organization.id))
    with pytest.raises(AlreadyExists):
        await create_project(control, owner, ProjectCreate(name="third"))
    assert (await count_actions(control))["project.created"] == 1


async def test_admin_names_the_organization(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    with pytest.raises(InvalidInput) as refused:
        await create_project(control, admin, ProjectCreate(name="third"))
    assert refused.value.field == "organization_id"
    body = ProjectCreate(name="third", organization_id=world.right.organization.id)
    assert (await create_project(control, admin, body)).organization_id == world.right.organization.id


async def test_rename_within_the_scope(control: Control, world: World) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    renamed = await update_project(control, owner, world.left.project.id, 1, ProjectUpdate(name="other"))
    assert (renamed.name, renamed.version) == ("other", 2)
    with pytest.raises(NotFound):
        await update_project(control, owner, world.right.project.id, 1, ProjectUpdate(name="other"))
    developer = await add_key(control, world.left.project, Role.DEVELOPER)
    with pytest.raises(PermissionDenied):
        await update_project(control, developer, world.left.project.id, 2, ProjectUpdate(name="mine"))


async def test_update_changes_what_it_names(control: Control, world: World) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    before = await get_version(control)
    change = ProjectUpdate(limits=CallLimitsChange(tokens_per_minute=1000), policy="region in JP")
    updated = await update_project(control, owner, world.left.project.id, 1, change)
    assert (updated.name, updated.policy) == (world.left.project.name, "region in JP")
    assert updated.limits == CallLimits(tokens_per_minute=1000)
    assert await list_touched(control, before) == {("projects", str(updated.id))}
    kept = await update_project(control, owner, updated.id, 2, ProjectUpdate(name="other"))
    assert (kept.limits, kept.policy) == (updated.limits, updated.policy)
