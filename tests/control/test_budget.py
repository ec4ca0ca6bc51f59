"""Commands on budgets: within the asker's organization, told to gateways when a holder gets its first or loses its last."""

from dataclasses import replace
from uuid import UUID

import pytest

from keisan.control.budget import create_budget, delete_budget, show_budgets, update_budget
from keisan.control.context import Control
from keisan.domain.access import Role
from keisan.domain.budget import PeriodKind
from keisan.domain.errors import AlreadyExists, InvalidInput, NotFound, PermissionDenied, VersionMismatch
from keisan.domain.holder import Holder
from keisan.domain.ids import BudgetId, TicketId
from keisan.kit.ids import create_id
from keisan.wire.budget import BudgetCreate, BudgetUpdate
from tests.control.people import EVERYTHING, add_key, count_actions, get_version, list_events, list_touched
from tests.domain.samples import build_ticket
from tests.factories import NOW, PLATFORM_ID, World

MONTHLY = BudgetCreate(currency="CNY", amount_nano=1000, period=PeriodKind.MONTH)


def name_holder(**ids: UUID) -> BudgetCreate:
    return MONTHLY.model_copy(update=dict(ids))


async def test_owner_bounds_their_own_organization_only(control: Control, world: World) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    left, right = world.left, world.right
    made = [await create_budget(control, owner, MONTHLY)]
    made.append(await create_budget(control, owner, name_holder(project_id=left.project.id)))
    made.append(await create_budget(control, owner, name_holder(key_id=left.key.id)))
    organization_id = left.organization.id
    assert [(line.organization_id, line.project_id, line.key_id) for line in made] == [
        (organization_id, None, None),
        (organization_id, left.project.id, None),
        (organization_id, left.project.id, left.key.id),
    ]
    for body in (
        name_holder(organization_id=right.organization.id),
        name_holder(project_id=right.project.id),
        name_holder(key_id=right.key.id),
    ):
        with pytest.raises(NotFound):
            await create_budget(control, owner, body)
    with pytest.raises(NotFound):
        await update_budget(control, owner, right.budget.id, 1, BudgetUpdate(amount_nano=1))
    with pytest.raises(NotFound):
        await delete_budget(control, owner, right.budget.id, 1)
    assert await count_actions(control) == {"budget.created": 3}


async def test_developer_may_not(control: Control, world: World) -> None:
    developer = await add_key(control, world.left.project, Role.DEVELOPER)
    budget_id = world.left.budget.id
    with pytest.raises(PermissionDenied):
        await create_budget(control, developer, MONTHLY)
    with pytest.raises(PermissionDenied):
        await update_budget(control, developer, budget_id, 1, BudgetUpdate(amount_nano=1))
    with pytest.raises(PermissionDenied):
        await delete_budget(control, developer, budget_id, 1)


async def test_one_holder_is_named(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    both = name_holder(project_id=world.left.project.id, key_id=world.left.key.id)
    for body in (MONTHLY, both):
        with pytest.raises(InvalidInput) as refused:
            await create_budget(control, admin, body)
        assert refused.value.field == "organization_id"
    made = await create_budget(control, admin, name_holder(organization_id=world.right.organization.id))
    assert made.organization_id == world.right.organization.id


async def test_wrong_window_and_second_of_a_kind_are_refused(control: Control, world: World) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    with pytest.raises(InvalidInput, match="window"):
        await create_budget(control, owner, MONTHLY.model_copy(update={"window_s": 3600}))
    await create_budget(control, owner, MONTHLY)
    with pytest.raises(AlreadyExists):
        await create_budget(control, owner, MONTHLY)
    await create_budget(control, owner, MONTHLY.model_copy(update={"period": PeriodKind.ROLLING, "window_s": 3600}))


async def test_gateways_are_told_of_the_first_and_the_last(control: Control, world: World) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    for holder, table in (({}, "organizations"), ({"project_id": world.left.project.id}, "projects")):
        before = await get_version(control)
        first = await create_budget(control, owner, name_holder(**holder))
        row = (table, str(holder.get("project_id", world.left.organization.id)))
        assert await list_touched(control, before) == {row}
        told = await get_version(control)
        second = await create_budget(
            control, owner, name_holder(**holder).model_copy(update={"period": PeriodKind.LIFETIME})
        )
        changed = await update_budget(control, owner, BudgetId(second.id), 1, BudgetUpdate(amount_nano=5))
        await delete_budget(control, owner, BudgetId(first.id), 1)
        assert await get_version(control) == told
        await delete_budget(control, owner, BudgetId(second.id), changed.version)
        assert await list_touched(control, told) == {row}
    before = await get_version(control)
    await delete_budget(control, owner, world.left.budget.id, 1)
    assert await list_touched(control, before) == {("keys", str(world.left.key.id))}


async def test_change_needs_the_newest_version_and_is_on_record(control: Control, world: World) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    budget = world.left.budget
    changed = await update_budget(control, owner, budget.id, 1, BudgetUpdate(amount_nano=7))
    assert (changed.amount_nano, changed.version) == (7, 2)
    with pytest.raises(VersionMismatch):
        await update_budget(control, owner, budget.id, 1, BudgetUpdate(amount_nano=8))
    with pytest.raises(VersionMismatch):
        await delete_budget(control, owner, budget.id, 1)
    assert (await delete_budget(control, owner, budget.id, 2)).amount_nano == 7
    updated, deleted = [event for event in await list_events(control) if event.noun_id == budget.id]
    assert updated.detail == {"amount_nano": "7", "previous_amount_nano": str(10**30)}
    assert (deleted.action, deleted.detail["holder_id"]) == ("budget.deleted", str(world.left.key.id))


async def test_what_is_spent_and_held_is_shown(control: Control, world: World) -> None:
    side = world.left
    values = {"platform_id": PLATFORM_ID, "organization_id": side.organization.id, "gateway_id": world.gateway.id}
    own = build_ticket(**values, id=TicketId(create_id()), project_id=side.project.id, key_id=side.key.id)
    wider = build_ticket(**values, id=TicketId(create_id()))
    dollars = replace(own, id=TicketId(create_id()), currency="USD")
    async with control.storage.write() as transaction:
        for ticket in (own, wider, dollars):
            await transaction.tickets.insert(ticket)
        await transaction.budgets.change_spent(side.budget.id, {0: 30}, [])
    owner = await add_key(control, side.project, Role.ORGANIZATION_ADMIN)
    whole = await create_budget(control, owner, MONTHLY)
    assert (whole.spent_nano, whole.held_nano) == (0, 200)
    async with control.storage.read() as view:
        shown = await show_budgets(control, view, EVERYTHING, [side.budget])
    assert [(line.spent_nano, line.held_nano) for line in shown.values()] == [(30, 100)]
    assert own.holder == Holder(side.organization.id, side.project.id, side.key.id)
    assert control.clock.now() == NOW
