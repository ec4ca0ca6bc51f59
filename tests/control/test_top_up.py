"""Top-ups: money from outside, by the platform's admin only, each with its event; the books stay balanced."""

from datetime import timedelta

import pytest

from keisan.control.context import Control
from keisan.control.platform import update_platform
from keisan.control.top_up import approve_top_up, create_top_up, reject_top_up
from keisan.domain.access import Principal, Role
from keisan.domain.account import AccountKind
from keisan.domain.alert import AlertKind
from keisan.domain.errors import AlreadyDecided, InvalidInput, NotFound, PermissionDenied, SelfApproval
from keisan.domain.ids import OrganizationId
from keisan.domain.page import PageRequest
from keisan.domain.top_up import TopUpKind, TopUpState
from keisan.kit.ids import create_id
from keisan.wire.platform import PlatformUpdate
from keisan.wire.top_up import TopUpCreate
from tests.control.people import EVERYTHING, add_key, list_events
from tests.factories import NOW, FixedClock, World

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


NOTE = BODY.model_copy(update={"kind": TopUpKind.CREDIT_NOTE, "note": "an hour of failures"})


async def set_limit(control: Control, admin: Principal, limit_nano: int) -> None:
    await update_platform(control, admin, 1, PlatformUpdate(four_eyes_nano={"CNY": limit_nano}))


async def test_credit_note_is_paid_of_the_platform_s_revenue(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    statement_id = create_id()
    body = NOTE.model_copy(update={"record_id": world.left.record.id, "statement_id": statement_id})
    made = await create_top_up(control, admin, world.left.organization.id, body)
    assert (made.kind, made.state, made.balance_nano) == (TopUpKind.CREDIT_NOTE, TopUpState.POSTED, 5 * 10**9)
    assert await list_balances(control) == {
        (AccountKind.WALLET, "CNY"): 5 * 10**9,
        (AccountKind.PLATFORM_REVENUE, "CNY"): -5 * 10**9,
    }
    event = (await list_events(control))[-1]
    assert event.action == "organization.credited"
    assert event.detail["record_id"] == str(world.left.record.id)
    assert event.detail["statement_id"] == str(statement_id)
    async with control.storage.read() as view:
        assert await view.top_ups.get(EVERYTHING, made.id) == made


async def test_credit_note_says_why_and_names_a_record_of_its_organization(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    for changes, fault in (
        ({"note": " "}, InvalidInput),
        ({"record_id": world.right.record.id}, NotFound),
        ({"record_id": create_id()}, NotFound),
        ({"kind": TopUpKind.TOP_UP, "record_id": world.left.record.id}, InvalidInput),
        ({"kind": TopUpKind.TOP_UP, "statement_id": create_id()}, InvalidInput),
    ):
        with pytest.raises(fault):
            await create_top_up(control, admin, world.left.organization.id, NOTE.model_copy(update=changes))
    assert await list_balances(control) == {}


@pytest.mark.parametrize("body", [BODY, NOTE], ids=lambda body: body.kind)
async def test_more_than_one_admin_may_post_is_proposed_and_another_posts_it(
    control: Control, world: World, body: TopUpCreate
) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    other = await add_key(control, world.right.project, Role.PLATFORM_ADMIN)
    await set_limit(control, admin, body.amount_nano - 1)
    proposed = await create_top_up(control, admin, world.left.organization.id, body)
    assert (proposed.state, proposed.balance_nano) == (TopUpState.PROPOSED, None)
    assert proposed.expires_at == NOW + timedelta(days=7)
    assert await list_balances(control) == {}
    posted = await approve_top_up(control, other, proposed.id)
    assert (posted.state, posted.decided_by, posted.proposed_by) == (TopUpState.POSTED, other.id, admin.id)
    assert posted.balance_nano == body.amount_nano
    assert (await list_balances(control))[AccountKind.WALLET, "CNY"] == body.amount_nano
    actions = [event.action for event in await list_events(control)]
    ended = "organization.topped_up" if body is BODY else "organization.credited"
    assert actions == ["platform.updated", "top_up.proposed", "alert.raised", "top_up.approved", ended]


async def test_up_to_the_limit_and_in_other_currencies_one_is_enough(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    await set_limit(control, admin, BODY.amount_nano)
    for body in (BODY, BODY.model_copy(update={"currency": "USD", "amount_nano": 10**20})):
        made = await create_top_up(control, admin, world.left.organization.id, body)
        assert (made.state, made.expires_at) == (TopUpState.POSTED, None)


async def test_proposal_is_told_to_the_platform_alone(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    await set_limit(control, admin, 0)
    proposed = await create_top_up(control, admin, world.left.organization.id, BODY)
    async with control.storage.read() as view:
        alert = (await view.alerts.list(EVERYTHING, PageRequest())).items[-1]
    assert (alert.kind, alert.subject_id, alert.organization_id) == (AlertKind.TOP_UP_PROPOSED, proposed.id, None)


async def test_nobody_approves_their_own_and_anybody_withdraws_it(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    await set_limit(control, admin, 0)
    proposed = await create_top_up(control, admin, world.left.organization.id, BODY)
    for _ in range(2):
        with pytest.raises(SelfApproval):
            await approve_top_up(control, admin, proposed.id)
    rejected = await reject_top_up(control, admin, proposed.id)
    assert (rejected.state, rejected.balance_nano) == (TopUpState.REJECTED, None)
    other = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    for decide in (approve_top_up, reject_top_up):
        with pytest.raises(AlreadyDecided, match="rejected"):
            await decide(control, other, proposed.id)
    assert await list_balances(control) == {}


async def test_second_approval_posts_nothing(control: Control, world: World) -> None:
    other = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    third = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    await approve_top_up(control, other, world.left.top_up.id)
    for admin in (other, third):
        with pytest.raises(AlreadyDecided, match="posted"):
            await approve_top_up(control, admin, world.left.top_up.id)
    assert (await list_balances(control))[AccountKind.WALLET, "CNY"] == world.left.top_up.amount_nano


async def test_approval_after_the_end_posts_nothing_though_nobody_wrote_the_end(
    control: Control, clock: FixedClock, world: World
) -> None:
    other = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    clock.instant += timedelta(days=7)
    with pytest.raises(AlreadyDecided, match="expired"):
        await approve_top_up(control, other, world.left.top_up.id)
    assert await list_balances(control) == {}


@pytest.mark.parametrize("role", set(Role) - {Role.PLATFORM_ADMIN})
async def test_only_the_platform_s_admins_decide(control: Control, world: World, role: Role) -> None:
    provider_id = world.left.provider.id if role is Role.PROVIDER else None
    asker = await add_key(control, world.left.project, role, provider_id)
    for decide in (approve_top_up, reject_top_up):
        with pytest.raises(PermissionDenied):
            await decide(control, asker, world.left.top_up.id)
    assert await list_balances(control) == {}
