"""Commands on keys: none wider than the asker's own, each in the snapshot from a known version on."""

from dataclasses import replace

import pytest

from keisan.control.context import Control
from keisan.control.key import create_key, revoke_key, update_key
from keisan.domain.access import OrganizationScope, Right, Role
from keisan.domain.call_limits import CallLimits
from keisan.domain.errors import InvalidInput, NotFound, PermissionDenied, StateConflict, VersionMismatch
from keisan.domain.ids import KeyId
from keisan.domain.key import digest_secret
from keisan.kit.ids import create_id
from keisan.wire.call_limits import CallLimitsChange
from keisan.wire.key import KeyCreate, KeyUpdate
from tests.control.people import EVERYTHING, add_key, count_actions, get_version, list_events, list_touched
from tests.factories import World

GRANTED = {
    Role.PLATFORM_ADMIN: set(Role),
    Role.ORGANIZATION_ADMIN: {Role.ORGANIZATION_ADMIN, Role.DEVELOPER},
    Role.AUDITOR: set(),
    Role.PROVIDER: set(),
    Role.DEVELOPER: set(),
}


async def test_created_key_is_stored_by_digest_and_marked_in_the_snapshot(control: Control, world: World) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    before = await get_version(control)
    body = KeyCreate(name="new", project_id=world.left.project.id, models=(world.model.facts.name,) * 2)
    created = await create_key(control, owner, body)
    async with control.storage.read() as view:
        stored = await view.keys.get(EVERYTHING, created.key.id)
    assert stored == created.key
    assert stored.digest == digest_secret(created.secret)
    assert created.secret.reveal().startswith(f"sk-keisan-{stored.platform_id[:12]}-")
    assert stored.models == (world.model.facts.name,)
    assert stored.organization_id == world.left.organization.id
    assert created.snapshot_version == before + 1 == await get_version(control)
    assert await list_touched(control, before) == {("keys", str(stored.id))}
    assert (await count_actions(control))["key.created"] == 1


@pytest.mark.parametrize("asker_role", Role)
@pytest.mark.parametrize("role", Role)
async def test_no_key_is_wider_than_the_askers(control: Control, world: World, asker_role: Role, role: Role) -> None:
    provider_id = world.left.provider.id
    asker = await add_key(control, world.left.project, asker_role, provider_id if asker_role is Role.PROVIDER else None)
    body = KeyCreate(
        name="new",
        project_id=world.left.project.id,
        role=role,
        provider_id=provider_id if role is Role.PROVIDER else None,
    )
    if role in GRANTED[asker_role]:
        created = (await create_key(control, asker, body)).key.to_principal()
        assert created.rights <= asker.rights
    else:
        with pytest.raises(PermissionDenied):
            await create_key(control, asker, body)
        assert (await count_actions(control))["key.created"] == 0


@pytest.mark.parametrize("lacks", ["rights", "scope"])
async def test_rights_and_scope_each_bound_a_new_key(control: Control, world: World, lacks: str) -> None:
    """No role of today has one without the other; a role of tomorrow may."""
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    narrowed = (
        replace(admin, rights=frozenset({Right.WRITE_KEYS, Right.READ}))
        if lacks == "rights"
        else replace(admin, scope=OrganizationScope(world.left.organization.id))
    )
    body = KeyCreate(name="new", project_id=world.left.project.id, role=Role.PLATFORM_ADMIN)
    with pytest.raises(PermissionDenied):
        await create_key(control, narrowed, body)


async def test_owner_reaches_no_other_organization(control: Control, world: World) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    with pytest.raises(NotFound):
        await create_key(control, owner, KeyCreate(name="new", project_id=world.right.project.id))
    with pytest.raises(NotFound):
        await revoke_key(control, owner, world.right.key.id)


async def test_owner_revokes_no_admin_of_the_platform(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    with pytest.raises(PermissionDenied):
        await revoke_key(control, owner, KeyId(admin.id))
    assert (await revoke_key(control, admin, KeyId(owner.id))).key.revoked_at is not None


@pytest.mark.parametrize("role", set(Role))
async def test_provider_is_named_by_provider_keys_only(control: Control, world: World, role: Role) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    wrong = None if role is Role.PROVIDER else world.left.provider.id
    body = KeyCreate(name="new", project_id=world.left.project.id, role=role, provider_id=wrong)
    with pytest.raises(InvalidInput) as refused:
        await create_key(control, admin, body)
    assert refused.value.field == "provider_id"


async def test_unknown_provider_is_not_found(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    body = KeyCreate(name="new", project_id=world.left.project.id, role=Role.PROVIDER, provider_id=create_id())
    with pytest.raises(NotFound):
        await create_key(control, admin, body)


async def test_unknown_model_is_refused_with_its_place(control: Control, world: World) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    body = KeyCreate(name="new", project_id=world.left.project.id, models=(world.model.facts.name, "gpt-9"))
    with pytest.raises(InvalidInput) as refused:
        await create_key(control, owner, body)
    assert refused.value.field == "models[1]"


async def test_key_of_some_models_makes_keys_of_those_only(control: Control, world: World) -> None:
    name = world.model.facts.name
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN, models=(name,))
    narrow = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN, models=())
    body = KeyCreate(name="new", project_id=world.left.project.id, models=(name,))
    assert (await create_key(control, owner, body)).key.models == (name,)
    with pytest.raises(PermissionDenied, match="for all models"):
        await create_key(control, owner, body.model_copy(update={"models": None}))
    with pytest.raises(PermissionDenied, match="may not call"):
        await create_key(control, narrow, body)


async def test_revocation_is_once_and_says_from_which_version(control: Control, world: World) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    before = await get_version(control)
    revoked = await revoke_key(control, owner, world.left.key.id)
    assert revoked.key.revoked_at == control.clock.now()
    assert revoked.snapshot_version == before + 1
    assert await list_touched(control, before) == {("keys", str(world.left.key.id))}
    again = await revoke_key(control, owner, world.left.key.id)
    assert again == revoked
    assert (await count_actions(control))["key.revoked"] == 1


async def test_developer_revokes_nothing(control: Control, world: World) -> None:
    developer = await add_key(control, world.left.project, Role.DEVELOPER)
    assert Right.WRITE_KEYS not in developer.rights
    with pytest.raises(PermissionDenied):
        await revoke_key(control, developer, world.left.key.id)


async def test_update_bounds_a_key_and_reaches_the_snapshot(control: Control, world: World) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    before = await get_version(control)
    change = KeyUpdate(limits=CallLimitsChange(calls_open_max=2), policy="region in JP")
    updated = await update_key(control, owner, world.left.key.id, 1, change)
    assert updated == replace(world.left.key, limits=CallLimits(calls_open_max=2), policy="region in JP", version=2)
    assert await list_touched(control, before) == {("keys", str(updated.id))}
    assert (await list_events(control))[-1].action == "key.updated"
    freed = await update_key(control, owner, updated.id, 2, KeyUpdate(limits=CallLimitsChange(calls_open_max=None)))
    assert (freed.limits, freed.policy) == (CallLimits(), "region in JP")


async def test_update_needs_scope_version_and_a_key_in_force(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    developer = await add_key(control, world.left.project, Role.DEVELOPER)
    change = KeyUpdate(policy="region in JP")
    with pytest.raises(NotFound):
        await update_key(control, owner, world.right.key.id, 1, change)
    with pytest.raises(PermissionDenied):
        await update_key(control, owner, KeyId(admin.id), 1, change)
    with pytest.raises(PermissionDenied):
        await update_key(control, developer, world.left.key.id, 1, change)
    with pytest.raises(VersionMismatch):
        await update_key(control, owner, world.left.key.id, 2, change)
    await revoke_key(control, owner, world.left.key.id)
    with pytest.raises(StateConflict):
        await update_key(control, owner, world.left.key.id, 2, change)


async def test_key_under_bounds_makes_keys_under_them_only(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    bounds = KeyUpdate(limits=CallLimitsChange(requests_per_minute=10), policy="region in CN; advisory none")
    await update_key(control, admin, KeyId(owner.id), 1, bounds)
    wide = KeyCreate(name="new", project_id=world.left.project.id)
    kept = CallLimitsChange(requests_per_minute=10, calls_open_max=1)
    for body, told in (
        (wide, "requests_per_minute"),
        (wide.model_copy(update={"limits": CallLimitsChange(requests_per_minute=11)}), "requests_per_minute"),
        (wide.model_copy(update={"limits": kept, "policy": "region in CN"}), "advisory none"),
        (wide.model_copy(update={"limits": kept, "policy": "advisory none; region in CN-SX"}), "region in CN"),
    ):
        with pytest.raises(PermissionDenied, match=told):
            await create_key(control, owner, body)
    narrow = wide.model_copy(update={"limits": kept, "policy": "advisory none; region in CN-SX; region in CN"})
    made = (await create_key(control, owner, narrow)).key
    assert made.limits == CallLimits(requests_per_minute=10, calls_open_max=1)


async def test_nobody_but_the_platform_frees_a_key_from_its_own_bounds(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    for asker, key_id in ((admin, KeyId(admin.id)), (admin, KeyId(owner.id))):
        await update_key(
            control, asker, key_id, 1, KeyUpdate(limits=CallLimitsChange(calls_open_max=1), policy="region in CN")
        )
    for change in (KeyUpdate(limits=CallLimitsChange(calls_open_max=None)), KeyUpdate(policy="")):
        with pytest.raises(PermissionDenied):
            await update_key(control, owner, KeyId(owner.id), 2, change)
        with pytest.raises(PermissionDenied):
            await update_key(control, owner, world.left.key.id, 1, change)
    freed = await update_key(control, admin, KeyId(admin.id), 2, KeyUpdate(policy=""))
    assert freed.policy == ""
