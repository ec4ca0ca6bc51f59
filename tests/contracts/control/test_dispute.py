"""Disputes on both databases: opened by a statement's holder, resolved once, and never for more than the statement says."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from keisan.control.dispute import open_dispute, resolve_dispute
from keisan.control.payout import create_payout
from keisan.domain.access import Principal, Role
from keisan.domain.dispute import Dispute, DisputeState
from keisan.domain.entry import EntryKind, read_header
from keisan.domain.errors import InvalidInput, LimitExceeded, NotFound, PermissionDenied, StateConflict
from keisan.domain.ids import RecordId
from keisan.domain.limits import DISPUTE_WINDOW_S
from keisan.domain.payout import PayoutOutcome
from keisan.domain.statement import CloseOutcome, HolderKind, Statement, StatementHolder
from keisan.domain.statement_document import read_document
from keisan.storage.database import Database
from keisan.wire.dispute import DisputeCreate, DisputeResolve, DisputeVerdict
from keisan.wire.payout import PayoutCreate
from tests.factories import NOW, FixedClock
from tests.settlement import EVERYTHING, Settlement, create_principal, open_settlement

# The planted record and one that was posted.
TOTAL_NANO = 2 * 30_500
KINDS = pytest.mark.parametrize("kind", HolderKind)


@pytest.fixture
async def settlement(storage: Database, clock: FixedClock) -> Settlement:
    """A settlement whose November is closed."""
    opened = await open_settlement(storage, clock)
    await opened.hand_in(opened.world.left, opened.world.right, NOW)
    clock.instant = datetime(2026, 12, 8, tzinfo=UTC)
    await opened.close("2026-11")
    return opened


def choose_side(settlement: Settlement, kind: HolderKind) -> tuple[StatementHolder, Principal]:
    """Return a holder of a statement with two records, and who acts for it."""
    world = settlement.world
    if kind is HolderKind.CUSTOMER:
        return settlement.name_customer(world.left), create_principal(Role.ORGANIZATION_ADMIN, world.left)
    return settlement.name_provider(world.right), create_principal(Role.PROVIDER, world.right)


async def find_statement(settlement: Settlement, kind: HolderKind) -> Statement:
    return await settlement.get_statement(choose_side(settlement, kind)[0], "2026-11")


async def dispute(settlement: Settlement, kind: HolderKind, *record_ids: RecordId) -> Dispute:
    statement = await find_statement(settlement, kind)
    body = DisputeCreate(reason="counted twice", record_ids=record_ids)
    return await open_dispute(settlement.control, choose_side(settlement, kind)[1], statement.id, body)


async def uphold(settlement: Settlement, opened: Dispute, amount_nano: int) -> Dispute:
    body = DisputeResolve(verdict=DisputeVerdict.UPHELD, resolution="so it was", amount_nano=amount_nano)
    return await resolve_dispute(settlement.control, settlement.admin, opened.id, body)


async def reject(settlement: Settlement, opened: Dispute) -> Dispute:
    body = DisputeResolve(verdict=DisputeVerdict.REJECTED, resolution="it was not")
    return await resolve_dispute(settlement.control, settlement.admin, opened.id, body)


async def list_actions(settlement: Settlement) -> list[str]:
    async with settlement.control.storage.read() as view:
        events = await view.events.list(EVERYTHING, 0, 500)
    return [event.action for event in events if event.action.startswith("dispute.")]


@KINDS
async def test_upheld_dispute_moves_its_amount_and_stands_on_the_next_statement(
    settlement: Settlement, kind: HolderKind
) -> None:
    holder, _ = choose_side(settlement, kind)
    before, statement = (await settlement.ledger.read_balances())[holder.id], await find_statement(settlement, kind)
    opened = await dispute(settlement, kind)
    resolved = await uphold(settlement, opened, 500)
    assert (resolved.state, resolved.amount_nano, resolved.resolution) == (DisputeState.UPHELD, 500, "so it was")
    assert (await settlement.ledger.read_balances())[holder.id] == before + 500
    assert resolved.entry_id is not None
    async with settlement.control.storage.read() as view:
        entry = await view.entries.get(EVERYTHING, resolved.entry_id)
        assert await view.disputes.get(EVERYTHING, opened.id) == resolved
        assert await view.accounts.sum_balances(EVERYTHING) == {"CNY": 0}
    assert (entry.kind, entry.sequence) == (EntryKind.DISPUTE, resolved.entry_sequence)
    assert read_header(entry.header).noun_id == opened.id
    assert await list_actions(settlement) == ["dispute.opened", "dispute.upheld"]
    assert await find_statement(settlement, kind) == statement
    # December has no records of this holder: the adjustment alone makes a statement.
    settlement.clock.instant = datetime(2027, 1, 8, tzinfo=UTC)
    assert await settlement.close("2026-12") == {CloseOutcome.CLOSED: 1, CloseOutcome.EMPTY: 3}
    after = await settlement.get_statement(holder, "2026-12")
    [adjustment] = read_document(after.document).adjustments
    assert (adjustment.dispute_id, adjustment.statement_id, adjustment.amount_nano) == (opened.id, statement.id, 500)
    assert (after.totals.adjustment_nano, after.totals.amount_nano, after.totals.record_count) == (500, 0, 0)
    assert after.balances.closing_nano == after.balances.opening_nano + 500
    # And on no other.
    settlement.clock.instant = datetime(2027, 2, 8, tzinfo=UTC)
    assert await settlement.close("2027-01") == {CloseOutcome.EMPTY: 4}


async def test_providers_adjustment_is_paid_with_the_next_statement(settlement: Settlement) -> None:
    holder, _ = choose_side(settlement, HolderKind.PROVIDER)
    await uphold(settlement, await dispute(settlement, HolderKind.PROVIDER), 500)
    settlement.clock.instant = datetime(2027, 1, 8, tzinfo=UTC)
    await settlement.close("2026-12")
    after = await settlement.get_statement(holder, "2026-12")
    settled = await create_payout(settlement.control, settlement.admin, after.id, PayoutCreate())
    assert settled.outcome is PayoutOutcome.CREATED
    assert settled.payout is not None
    assert settled.payout.amount_nano == 500


@KINDS
async def test_rejected_dispute_moves_nothing(settlement: Settlement, kind: HolderKind) -> None:
    holder, _ = choose_side(settlement, kind)
    before = (await settlement.ledger.read_balances())[holder.id]
    resolved = await reject(settlement, await dispute(settlement, kind))
    assert (resolved.state, resolved.resolution, resolved.entry_id) == (DisputeState.REJECTED, "it was not", None)
    assert (await settlement.ledger.read_balances())[holder.id] == before
    assert await list_actions(settlement) == ["dispute.opened", "dispute.rejected"]
    for again in (reject(settlement, resolved), uphold(settlement, resolved, 1)):
        with pytest.raises(StateConflict):
            await again


async def test_disputes_at_once_move_no_more_than_the_statement_says(settlement: Settlement) -> None:
    holder, _ = choose_side(settlement, HolderKind.CUSTOMER)
    before = (await settlement.ledger.read_balances())[holder.id]
    opened = [await dispute(settlement, HolderKind.CUSTOMER) for _ in range(4)]
    amount_nano = TOTAL_NANO // 2

    async def try_uphold(each: Dispute) -> bool:
        try:
            await uphold(settlement, each, amount_nano)
        except LimitExceeded:
            return False
        return True

    async with asyncio.TaskGroup() as group:
        tries = [group.create_task(try_uphold(each)) for each in opened]
    assert sorted(each.result() for each in tries) == [False, False, True, True]
    assert (await settlement.ledger.read_balances())[holder.id] == before + TOTAL_NANO


async def test_same_dispute_resolved_at_once_is_resolved_once(settlement: Settlement) -> None:
    holder, _ = choose_side(settlement, HolderKind.CUSTOMER)
    before = (await settlement.ledger.read_balances())[holder.id]
    opened = await dispute(settlement, HolderKind.CUSTOMER)

    async def try_uphold() -> bool:
        try:
            await uphold(settlement, opened, 7)
        except StateConflict:
            return False
        return True

    async with asyncio.TaskGroup() as group:
        tries = [group.create_task(try_uphold()) for _ in range(4)]
    assert sorted(each.result() for each in tries) == [False, False, False, True]
    assert (await settlement.ledger.read_balances())[holder.id] == before + 7


async def test_statement_is_disputed_within_its_window(settlement: Settlement) -> None:
    settlement.clock.instant += timedelta(seconds=DISPUTE_WINDOW_S) - timedelta(microseconds=1)
    await dispute(settlement, HolderKind.CUSTOMER)
    settlement.clock.instant += timedelta(microseconds=1)
    with pytest.raises(StateConflict):
        await dispute(settlement, HolderKind.CUSTOMER)


async def test_records_must_be_on_the_statement(settlement: Settlement) -> None:
    world, kind = settlement.world, HolderKind.CUSTOMER
    own = await settlement.list_records(await find_statement(settlement, kind))
    opened = await dispute(settlement, kind, *(posted.record.id for posted in own), own[0].record.id)
    assert opened.record_ids == tuple(posted.record.id for posted in own)
    with pytest.raises(InvalidInput) as refusal:
        await dispute(settlement, kind, own[0].record.id, world.right.record.id)
    assert refusal.value.field == "record_ids"


@KINDS
async def test_nobody_but_the_holder_disputes(settlement: Settlement, kind: HolderKind) -> None:
    statement, world = await find_statement(settlement, kind), settlement.world
    body = DisputeCreate(reason="mine")
    sides = (world.left, world.right)
    others = [create_principal(Role.ORGANIZATION_ADMIN, side) for side in sides]
    others += [create_principal(Role.PROVIDER, side) for side in sides]
    own = choose_side(settlement, kind)[1].scope
    for other in others:
        if other.scope != own:
            with pytest.raises(NotFound):
                await open_dispute(settlement.control, other, statement.id, body)
    for role in (Role.PLATFORM_ADMIN, Role.AUDITOR, Role.DEVELOPER):
        principal = create_principal(role, world.left if role is Role.DEVELOPER else None)
        with pytest.raises(PermissionDenied):
            await open_dispute(settlement.control, principal, statement.id, body)
    assert await list_actions(settlement) == []


@pytest.mark.parametrize("role", [Role.ORGANIZATION_ADMIN, Role.PROVIDER, Role.AUDITOR])
async def test_nobody_but_the_platform_resolves(settlement: Settlement, role: Role) -> None:
    opened = await dispute(settlement, HolderKind.CUSTOMER)
    principal = create_principal(role, None if role is Role.AUDITOR else settlement.world.left)
    body = DisputeResolve(verdict=DisputeVerdict.UPHELD, resolution="mine", amount_nano=1)
    with pytest.raises(PermissionDenied):
        await resolve_dispute(settlement.control, principal, opened.id, body)


@pytest.mark.parametrize(("verdict", "amount_nano"), [(DisputeVerdict.UPHELD, None), (DisputeVerdict.REJECTED, 1)])
async def test_amount_comes_with_upholding_alone(
    settlement: Settlement, verdict: DisputeVerdict, amount_nano: int | None
) -> None:
    opened = await dispute(settlement, HolderKind.CUSTOMER)
    body = DisputeResolve(verdict=verdict, resolution="well", amount_nano=amount_nano)
    with pytest.raises(InvalidInput):
        await resolve_dispute(settlement.control, settlement.admin, opened.id, body)
