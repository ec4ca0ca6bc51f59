"""Commands on deductions: platform admins write them, one version after the other."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from keisan.control.context import Control
from keisan.control.deduction import create_deduction, withdraw_deduction
from keisan.domain.access import Principal, Role
from keisan.domain.deduction import DeductionKind, choose_rate_ppm
from keisan.domain.errors import InvalidInput, NotFound, PermissionDenied, StateConflict
from keisan.kit.ids import create_id
from keisan.wire.deduction import DeductionCreate
from tests.control.people import EVERYTHING, add_key, list_events
from tests.factories import NOW, FixedClock, World

HOUR = timedelta(hours=1)


def build_body(**changes: object) -> DeductionCreate:
    return DeductionCreate.model_validate({"kind": "margin", "rate_ppm": 50_000} | changes)


@pytest.fixture
async def admin(control: Control, world: World) -> Principal:
    """A key of the platform's admin."""
    return await add_key(control, world.left.project, Role.PLATFORM_ADMIN)


async def test_versions_rise_by_kind_and_subject(control: Control, world: World, admin: Principal) -> None:
    bodies = [
        build_body(),
        build_body(effective_from=NOW + HOUR, effective_until=NOW + 2 * HOUR),
        build_body(provider_id=world.left.provider.id),
        build_body(kind="tax"),
        build_body(kind="tax", organization_id=world.left.organization.id),
    ]
    created = [await create_deduction(control, admin, body) for body in bodies]
    # The world has one of the left provider, and one of the left organization.
    assert [each.version for each in created] == [1, 2, 2, 1, 2]
    async with control.storage.read() as view:
        assert [await view.deductions.get(EVERYTHING, each.id) for each in created] == created
    event = (await list_events(control))[-1]
    assert (event.action, event.detail["subject"]) == ("deduction.created", str(world.left.organization.id))
    assert (event.detail["rate_ppm"], event.detail["deduction_version"]) == ("50000", "2")


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.PROVIDER, Role.ORGANIZATION_ADMIN, Role.DEVELOPER])
async def test_nobody_else_writes_one(control: Control, world: World, role: Role) -> None:
    somebody = await add_key(control, world.left.project, role, world.left.provider.id)
    with pytest.raises(PermissionDenied):
        await create_deduction(control, somebody, build_body())
    with pytest.raises(PermissionDenied):
        await withdraw_deduction(control, somebody, world.left.margin.id)


WRONG: Mapping[str, tuple[Mapping[str, object], str]] = {
    "in the past": ({"effective_from": NOW - timedelta(microseconds=1)}, "effective_from"),
    "over before it begins": ({"effective_until": NOW}, "effective_until"),
    "of an organization": ({"organization_id": create_id()}, "organization_id"),
    "tax of a provider": ({"kind": "tax", "provider_id": create_id()}, "provider_id"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_wrong_ones_are_refused(control: Control, admin: Principal, name: str) -> None:
    changes, field = WRONG[name]
    with pytest.raises(InvalidInput) as refusal:
        await create_deduction(control, admin, build_body(**changes))
    assert refusal.value.field == field


async def test_whose_it_is_exists(control: Control, admin: Principal) -> None:
    with pytest.raises(NotFound):
        await create_deduction(control, admin, build_body(provider_id=create_id()))
    with pytest.raises(NotFound):
        await create_deduction(control, admin, build_body(kind="tax", organization_id=create_id()))


async def test_withdrawn_margin_leaves_everybodys(
    control: Control, world: World, admin: Principal, clock: FixedClock
) -> None:
    await create_deduction(control, admin, build_body(rate_ppm=1))
    clock.instant += HOUR
    withdrawn = await withdraw_deduction(control, admin, world.left.margin.id)
    assert (withdrawn.version, withdrawn.rate_ppm, withdrawn.effective_until) == (2, None, None)
    async with control.storage.read() as view:
        found = await view.deductions.list_all(EVERYTHING)
    own = [choose_rate_ppm(found, DeductionKind.MARGIN, world.left.provider.id, at) for at in (NOW, NOW + HOUR)]
    assert own == [world.left.margin.rate_ppm, 1]
    assert (await list_events(control))[-1].action == "deduction.withdrawn"
    with pytest.raises(StateConflict):
        await withdraw_deduction(control, admin, withdrawn.id)
