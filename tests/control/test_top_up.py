"""Top-ups: money from outside, by the platform's admin only, each with its event; the books stay balanced."""

import pytest

from keisan.control.context import Control
from keisan.control.top_up import create_top_up
from keisan.domain.access import Role
from keisan.domain.account import AccountKind
from keisan.domain.errors import NotFound, PermissionDenied
from keisan.domain.ids import OrganizationId
from keisan.domain.page import PageRequest
from keisan.kit.ids import create_id
from keisan.wire.top_up import TopUpCreate
from tests.control.people import EVERYTHING, add_key, list_events
from tests.factories import NOW, World

BODY = TopUpCreate(amount_nano=5_000_000_000, currency="CNY", note="invoice 7")


async def list_balances(control: Control) -> dict[tuple[AccountKind, str], int]:
    async with control.storage.read() as view:
        accounts = (await view.accounts.list(EVERYTHING, PageRequest())).items
    return {(account.kind, account.currency): account.balance_nano for account in accounts if account.balance_nano}


async def test_money_comes_from_outside_into_the_wallet(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    organization = world.left.organization
    first = await create_top_up(control, admin, organization.id, BODY)
    second = await create_top_up(control, admin, organization.id, BODY.model_copy(update={"currency": "USD"}))
    third = await create_top_up(control, admin, organization.id, BODY)
    assert [each.balance_nano for each in (first, second, third)] == [5 * 10**9, 5 * 10**9, 10**10]
    assert (first.organization_id, first.amount_nano, first.note) == (organization.id, 5 * 10**9, "invoice 7")
    assert (first.platform_id, first.created_at) == (world.platform.id, NOW)
    assert await list_balances(control) == {
        (AccountKind.WALLET, "CNY"): 10**10,
        (AccountKind.OUTSIDE, "CNY"): -(10**10),
        (AccountKind.WALLET, "USD"): 5 * 10**9,
        (AccountKind.OUTSIDE, "USD"): -5 * 10**9,
    }
    async with control.storage.read() as view:
        postings = await view.accounts.list_postings(EVERYTHING, world.left.wallet_id, PageRequest())
        assert set((await view.accounts.sum_balances(EVERYTHING)).values()) == {0}
    assert [(each.entry_id, each.amount_nano, each.record_count) for each in postings] == [
        (first.id, 5 * 10**9, 0),
        (third.id, 5 * 10**9, 0),
    ]


async def test_event_says_who_paid_in_what_and_why(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    made = await create_top_up(control, admin, world.left.organization.id, BODY)
    event = (await list_events(control))[-1]
    assert (event.action, event.actor) == ("organization.topped_up", f"key:{admin.id}")
    assert event.noun_id == world.left.organization.id
    assert event.detail == {
        "amount_nano": "5000000000",
        "currency": "CNY",
        "note": "invoice 7",
        "entry_id": str(made.id),
    }


@pytest.mark.parametrize("role", set(Role) - {Role.PLATFORM_ADMIN})
async def test_others_may_not(control: Control, world: World, role: Role) -> None:
    provider_id = world.left.provider.id if role is Role.PROVIDER else None
    asker = await add_key(control, world.left.project, role, provider_id)
    with pytest.raises(PermissionDenied):
        await create_top_up(control, asker, world.left.organization.id, BODY)
    assert await list_balances(control) == {}


async def test_organization_must_exist(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    with pytest.raises(NotFound):
        await create_top_up(control, admin, OrganizationId(create_id()), BODY)
    assert await list_balances(control) == {}
