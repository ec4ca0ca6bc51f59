"""Commands on organizations: by the platform's admin only, each with its event."""

from dataclasses import replace

import pytest

from keisan.control.context import Control
from keisan.control.organization import create_organization, update_organization
from keisan.domain.access import Role
from keisan.domain.call_limits import CallLimits
from keisan.domain.errors import AlreadyExists, NotFound, PermissionDenied, VersionMismatch
from keisan.domain.organization import Billing
from keisan.wire.call_limits import CallLimitsChange
from keisan.wire.organization import OrganizationCreate, OrganizationUpdate
from tests.control.people import EVERYTHING, add_key, count_actions, get_version, list_events, list_touched
from tests.factories import World


async def test_create_is_stored_with_its_event(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    before = await get_version(control)
    created = await create_organization(control, admin, OrganizationCreate(name="gamma"))
    async with control.storage.read() as view:
        assert await view.organizations.get(EVERYTHING, created.id) == created
    event = (await list_events(control))[-1]
    assert (event.action, event.actor, event.noun_id) == ("organization.created", f"key:{admin.id}", created.id)
    assert await list_touched(control, before) == {("organizations", str(created.id))}
    assert (created.billing, created.limits, created.policy) == (Billing.POSTPAID, CallLimits(), "")
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
        await update_organization(control, asker, world.left.organization.id, 1, OrganizationUpdate(name="gamma"))


async def test_rename_needs_the_version_seen(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    stored = world.left.organization
    renamed = await update_organization(control, admin, stored.id, 1, OrganizationUpdate(name="gamma"))
    assert (renamed.name, renamed.version) == ("gamma", 2)
    with pytest.raises(VersionMismatch):
        await update_organization(control, admin, stored.id, 1, OrganizationUpdate(name="delta"))
    event = (await list_events(control))[-1]
    assert event.detail == {"name": "gamma", "previous_name": stored.name}


async def test_update_changes_what_it_names_and_tells_both_values(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    stored = world.left.organization
    first = OrganizationUpdate(
        billing=Billing.PREPAID,
        snapshot_age_s_max=60,
        time_zone="Asia/Tokyo",
        limits=CallLimitsChange(requests_per_minute=600, calls_open_max=4),
        policy="advisory none",
    )
    bounded = await update_organization(control, admin, stored.id, 1, first)
    assert (bounded.name, bounded.billing, bounded.snapshot_age_s_max) == (stored.name, Billing.PREPAID, 60)
    assert (stored.time_zone, bounded.time_zone) == ("UTC", "Asia/Tokyo")
    assert (bounded.limits, bounded.policy) == (CallLimits(requests_per_minute=600, calls_open_max=4), "advisory none")
    before = await get_version(control)
    second = OrganizationUpdate(
        snapshot_age_s_max=None, limits=CallLimitsChange(requests_per_minute=None, tokens_per_minute=9), policy=""
    )
    loosened = await update_organization(control, admin, stored.id, 2, second)
    assert loosened == replace(
        bounded,
        snapshot_age_s_max=None,
        limits=CallLimits(tokens_per_minute=9, calls_open_max=4),
        policy="",
        version=3,
    )
    async with control.storage.read() as view:
        assert await view.organizations.get(EVERYTHING, stored.id) == loosened
    assert await list_touched(control, before) == {("organizations", str(stored.id))}
    assert (await list_events(control))[-1].detail == {
        "snapshot_age_s_max": "",
        "previous_snapshot_age_s_max": "60",
        "requests_per_minute": "",
        "previous_requests_per_minute": "600",
        "tokens_per_minute": "9",
        "previous_tokens_per_minute": "",
        "policy": "",
        "previous_policy": "advisory none",
    }


async def test_own_admin_says_when_a_wallet_is_low_and_nothing_else(control: Control, world: World) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    before = await get_version(control)
    low = OrganizationUpdate(wallet_low_nano={"CNY": 1000, "USD": -5})
    changed = await update_organization(control, owner, world.left.organization.id, 1, low)
    assert changed.wallet_low_nano == {"CNY": 1000, "USD": -5}
    less = OrganizationUpdate(wallet_low_nano={"USD": None})
    assert (await update_organization(control, owner, changed.id, 2, less)).wallet_low_nano == {"CNY": 1000}
    # Gateways have nothing to do with it.
    assert await get_version(control) == before
    both = OrganizationUpdate(wallet_low_nano={"CNY": 1}, name="gamma")
    with pytest.raises(PermissionDenied):
        await update_organization(control, owner, changed.id, 3, both)
    with pytest.raises(NotFound):
        await update_organization(control, owner, world.right.organization.id, 1, low)
    developer = await add_key(control, world.left.project, Role.DEVELOPER)
    with pytest.raises(PermissionDenied):
        await update_organization(control, developer, changed.id, 3, low)
