"""Judgements of suspended records on both databases: each once, no wallet below its floor, on one statement, and audited."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from keisan.control.suspense import JudgedSuspense, judge_suspense
from keisan.domain.access import Role
from keisan.domain.account import AccountKind
from keisan.domain.alert import AlertKind
from keisan.domain.entry import EntryKind, read_header
from keisan.domain.errors import NotFound, PermissionDenied
from keisan.domain.ids import OrganizationId, RecordId
from keisan.domain.organization import Billing
from keisan.domain.page import PageRequest
from keisan.domain.retention import HoldCode
from keisan.domain.statement import CloseOutcome, HolderKind
from keisan.domain.statement_document import read_document
from keisan.domain.suspense import SuspenseOutcome, SuspenseState, SuspenseVerdict
from keisan.ledger.audit import audit_ledger
from keisan.ledger.rule_retention import RetentionStep
from keisan.storage.database import Database
from keisan.wire.suspense import SuspenseJudge
from tests.domain.samples import build_ticket, create_record_id
from tests.factories import NOW, FixedClock, Side
from tests.ledger.credit_world import top_up
from tests.retention_world import GRACE, TODAY, YESTERDAY, open_retention_world
from tests.settlement import EVERYTHING, Settlement, create_principal, open_settlement
from tests.storage.rows import execute_unguarded

COST_NANO = 30_500
CHARGE, WRITE_OFF = SuspenseVerdict.CHARGE, SuspenseVerdict.WRITE_OFF
ALL = PageRequest(limit=500)

# Every step of everything, on a machine that others share and with every line counted.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture
async def settlement(storage: Database, clock: FixedClock) -> Settlement:
    opened = await open_settlement(storage, clock)
    async with storage.write() as transaction:
        await opened.ledger.journal.write_opening(transaction)
    return opened


async def suspend(settlement: Settlement, payer: Side, at: datetime, cost_nano: int = COST_NANO) -> RecordId:
    """Hand in a call on a ticket that there is not."""
    quantities = {} if cost_nano else {"quantities": {}, "amount_nano": "0"}
    late = settlement.clock.now() - at > timedelta(days=7)
    ticket = {} if late else {"ticket_id": str(create_record_id(at))}
    return await settlement.hand_in(payer, settlement.world.right, at, **(quantities | ticket))


async def judge(settlement: Settlement, record_id: RecordId, verdict: SuspenseVerdict) -> JudgedSuspense:
    body = SuspenseJudge(verdict=verdict, note="as agreed")
    return await judge_suspense(settlement.control, settlement.admin, record_id, body)


async def read_balance(settlement: Settlement, kind: AccountKind = AccountKind.SUSPENSE) -> int:
    async with settlement.control.storage.read() as view:
        accounts = (await view.accounts.list(EVERYTHING, ALL)).items
    return sum(account.balance_nano for account in accounts if account.kind is kind)


async def check_whole(settlement: Settlement) -> None:
    async with settlement.control.storage.read() as view:
        difference = (await audit_ledger(view, lambda _: None)).difference
    assert difference is None, difference


async def test_charge_is_an_entry_an_event_and_an_alert_and_leaves_the_usage_record(settlement: Settlement) -> None:
    left = settlement.world.left
    record_id = await suspend(settlement, left, NOW)
    await top_up(settlement.control.storage, left.organization.id, COST_NANO)
    async with settlement.control.storage.read() as view:
        before = await view.usage.get(EVERYTHING, record_id)
    judged = await judge(settlement, record_id, CHARGE)
    own = judged.suspended
    assert (judged.outcome, own.state, own.note) == (SuspenseOutcome.CHARGED, SuspenseState.CHARGED, "as agreed")
    assert (own.judged_by, own.currency, own.amount_nano) == (settlement.admin.id, "CNY", COST_NANO)
    assert own.entry_id is not None
    async with settlement.control.storage.read() as view:
        assert await view.usage.get(EVERYTHING, record_id) == before
        assert await view.suspense.get(EVERYTHING, record_id) == own
        entry = await view.entries.get(EVERYTHING, own.entry_id)
        [event] = [each for each in await view.events.list(EVERYTHING, 0, 500) if each.action == "suspense.charged"]
        alerts = (await view.alerts.list(EVERYTHING, ALL)).items
    assert (entry.kind, read_header(entry.header).noun_id) == (EntryKind.SUSPENSE_CHARGE, record_id)
    assert (event.noun_id, event.detail["amount_nano"]) == (record_id, str(COST_NANO))
    [alert] = [each for each in alerts if each.kind is AlertKind.RECORD_CHARGED]
    assert (alert.organization_id, alert.subject_id) == (left.organization.id, record_id)
    assert (await settlement.ledger.read_balances())[left.organization.id] == 0
    assert await read_balance(settlement) == 0
    await check_whole(settlement)


async def test_what_is_written_off_is_paid_by_revenue_and_told_to_no_organization(settlement: Settlement) -> None:
    record_id = await suspend(settlement, settlement.world.left, NOW)
    revenue_nano = await read_balance(settlement, AccountKind.PLATFORM_REVENUE)
    judged = await judge(settlement, record_id, WRITE_OFF)
    assert judged.outcome is SuspenseOutcome.WRITTEN_OFF
    async with settlement.control.storage.read() as view:
        alerts = (await view.alerts.list(EVERYTHING, ALL)).items
    assert await read_balance(settlement, AccountKind.PLATFORM_REVENUE) == revenue_nano - COST_NANO
    assert await read_balance(settlement) == 0
    assert AlertKind.RECORD_CHARGED not in {each.kind for each in alerts}
    await check_whole(settlement)


@pytest.mark.parametrize("seed", range(3))
async def test_books_hold_after_each_step_in_any_order(settlement: Settlement, seed: int) -> None:
    """A model of wallets and of what waits tells every outcome beforehand."""
    random, world = Random(seed), settlement.world
    sides = (world.left, world.right)
    wallets = {side.organization.id: 0 for side in sides}
    waiting: dict[RecordId, tuple[OrganizationId, int]] = {}
    judged: list[RecordId] = []
    for _ in range(40):
        side = random.choice(sides)
        owner_id = side.organization.id
        match random.choice(("suspend", "call", "top up", "judge", "judge")):
            case "suspend":
                cost_nano = random.choice((0, COST_NANO))
                # What cost nothing is suspended only where it is late.
                at = NOW if cost_nano else NOW - timedelta(days=9)
                waiting[await suspend(settlement, side, at, cost_nano)] = (owner_id, cost_nano)
            case "call":
                await settlement.hand_in(side, world.right, NOW)
                wallets[owner_id] -= COST_NANO
            case "top up":
                amount_nano = random.choice((1, COST_NANO - 1, 2 * COST_NANO))
                await top_up(settlement.control.storage, owner_id, amount_nano)
                wallets[owner_id] += amount_nano
            case _ if waiting or judged:
                record_id, verdict = random.choice([*waiting, *judged]), random.choice((CHARGE, WRITE_OFF))
                outcome = (await judge(settlement, record_id, verdict)).outcome
                if record_id not in waiting:
                    assert outcome is SuspenseOutcome.ALREADY_JUDGED
                    continue
                payer_id, cost_nano = waiting[record_id]
                if verdict is CHARGE and cost_nano > max(wallets[payer_id], 0):
                    assert outcome is SuspenseOutcome.INSUFFICIENT_CREDIT
                    continue
                assert outcome == ("charged" if verdict is CHARGE else "written_off")
                wallets[payer_id] -= cost_nano if verdict is CHARGE else 0
                del waiting[record_id]
                judged.append(record_id)
        balances = await settlement.ledger.read_balances()
        assert {owner: balances.get(owner, 0) for owner in wallets} == wallets
        assert set((await settlement.ledger.sum_balances()).values()) <= {0}
        assert await read_balance(settlement) == -sum(cost_nano for _, cost_nano in waiting.values())
    assert judged
    async with settlement.control.storage.read() as view:
        listed = (await view.suspense.list(EVERYTHING, ALL, SuspenseState.SUSPENDED)).items
    assert {each.record_id for each in listed} == set(waiting)
    await check_whole(settlement)


async def test_two_admins_at_once_judge_once(settlement: Settlement) -> None:
    left = settlement.world.left
    record_id = await suspend(settlement, left, NOW)
    # Enough for a second charge, if there were one.
    await top_up(settlement.control.storage, left.organization.id, 9 * COST_NANO)
    async with asyncio.TaskGroup() as group:
        tries = [group.create_task(judge(settlement, record_id, (CHARGE, WRITE_OFF)[n % 2])) for n in range(6)]
    outcomes = Counter(each.result().outcome for each in tries)
    assert outcomes.pop(SuspenseOutcome.ALREADY_JUDGED) == 5
    [(outcome, count)] = outcomes.items()
    assert count == 1
    left_nano = (9 - (outcome is SuspenseOutcome.CHARGED)) * COST_NANO
    assert (await settlement.ledger.read_balances())[left.organization.id] == left_nano
    assert await read_balance(settlement) == 0
    await check_whole(settlement)


async def test_charges_at_once_take_no_more_than_the_wallet_has(settlement: Settlement) -> None:
    left = settlement.world.left
    records = [await suspend(settlement, left, NOW) for _ in range(4)]
    await top_up(settlement.control.storage, left.organization.id, 2 * COST_NANO + 1)
    async with asyncio.TaskGroup() as group:
        tries = [group.create_task(judge(settlement, record_id, CHARGE)) for record_id in records]
    outcomes = Counter(each.result().outcome for each in tries)
    assert outcomes == {SuspenseOutcome.CHARGED: 2, SuspenseOutcome.INSUFFICIENT_CREDIT: 2}
    assert (await settlement.ledger.read_balances())[left.organization.id] == 1
    await check_whole(settlement)


async def test_what_tickets_hold_is_not_taken(settlement: Settlement) -> None:
    left, storage = settlement.world.left, settlement.control.storage
    record_id = await suspend(settlement, left, NOW)
    await top_up(storage, left.organization.id, COST_NANO + 9)
    ticket = build_ticket(
        platform_id=settlement.control.platform_id,
        organization_id=left.organization.id,
        gateway_id=settlement.world.gateway.id,
        credit_nano=10,
        posted_nano=0,
    )
    async with storage.write() as transaction:
        await transaction.tickets.insert(ticket)
    assert (await judge(settlement, record_id, CHARGE)).outcome is SuspenseOutcome.INSUFFICIENT_CREDIT
    assert (await settlement.ledger.read_balances())[left.organization.id] == COST_NANO + 9
    await top_up(storage, left.organization.id, 1)
    assert (await judge(settlement, record_id, CHARGE)).outcome is SuspenseOutcome.CHARGED


async def test_who_pays_afterwards_has_no_floor(settlement: Settlement) -> None:
    organization = settlement.world.left.organization
    async with settlement.control.storage.write() as transaction:
        post_paid = replace(organization, billing=Billing.POSTPAID, version=organization.version + 1)
        await transaction.organizations.update(post_paid)
    record_id = await suspend(settlement, settlement.world.left, NOW)
    assert (await judge(settlement, record_id, CHARGE)).outcome is SuspenseOutcome.CHARGED
    assert (await settlement.ledger.read_balances())[organization.id] == -COST_NANO


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.PROVIDER, Role.ORGANIZATION_ADMIN])
async def test_only_a_platforms_admin_judges_and_only_what_is_suspended(settlement: Settlement, role: Role) -> None:
    record_id = await suspend(settlement, settlement.world.left, NOW)
    principal = create_principal(role, None if role is Role.AUDITOR else settlement.world.left)
    with pytest.raises(PermissionDenied):
        await judge_suspense(settlement.control, principal, record_id, SuspenseJudge(verdict=WRITE_OFF))
    paid_id = await settlement.hand_in(settlement.world.left, settlement.world.right, NOW)
    with pytest.raises(NotFound):
        await judge(settlement, paid_id, WRITE_OFF)
    assert await read_balance(settlement) == -COST_NANO


async def list_placed(settlement: Settlement) -> Counter[RecordId]:
    """Return on how many customers' statements each record is."""
    placed = Counter[RecordId]()
    for statement in await settlement.list_statements():
        if statement.holder.kind is HolderKind.CUSTOMER:
            placed.update(each.record.id for each in await settlement.list_records(statement))
    return placed


async def test_charge_after_the_month_is_closed_is_late_on_the_next_statement(settlement: Settlement) -> None:
    left = settlement.world.left
    record_id = await suspend(settlement, left, NOW)
    settlement.clock.instant = datetime(2026, 12, 8, tzinfo=UTC)
    await settlement.close("2026-11")
    closed = await settlement.get_statement(settlement.name_customer(left), "2026-11")
    assert (await list_placed(settlement))[record_id] == 0
    await top_up(settlement.control.storage, left.organization.id, COST_NANO)
    assert (await judge(settlement, record_id, CHARGE)).outcome is SuspenseOutcome.CHARGED
    settlement.clock.instant = datetime(2027, 1, 8, tzinfo=UTC)
    assert (await settlement.close("2026-12"))[CloseOutcome.CLOSED] == 1
    assert await settlement.get_statement(settlement.name_customer(left), "2026-11") == closed
    statement = await settlement.get_statement(settlement.name_customer(left), "2026-12")
    [line] = read_document(statement.document).lines
    assert (line.sum.is_late, line.sum.record_count, line.sum.amount_nano) == (True, 1, COST_NANO)
    assert (await list_placed(settlement))[record_id] == 1
    await check_whole(settlement)


@pytest.mark.parametrize("seed", range(3))
async def test_each_charged_record_is_on_one_statement_whenever_it_was_charged(
    settlement: Settlement, seed: int
) -> None:
    random, left = Random(seed), settlement.world.left
    await top_up(settlement.control.storage, left.organization.id, 10**12)
    months, closed = ["2026-11", "2026-12", "2027-01", "2027-02"], 0
    waiting: list[RecordId] = []
    charged: set[RecordId] = set()
    others: set[RecordId] = set()
    documents: dict[UUID, bytes] = {}
    while closed < len(months):
        match random.choice(("suspend", "suspend", "late", "judge", "judge", "judge", "wait")):
            case "suspend":
                waiting.append(await suspend(settlement, left, settlement.clock.now()))
            case "late":
                waiting.append(await suspend(settlement, left, settlement.clock.now() - timedelta(days=9)))
            case "judge" if waiting:
                record_id = waiting.pop(random.randrange(len(waiting)))
                verdict = CHARGE if random.random() < 0.7 else WRITE_OFF
                (charged if verdict is CHARGE else others).add(record_id)
                await judge(settlement, record_id, verdict)
            case _:
                settlement.clock.instant += timedelta(days=random.randrange(12))
        end = (datetime(2026 + (11 + closed) // 12, (11 + closed) % 12 + 1, 1, tzinfo=UTC)) + timedelta(days=7)
        if settlement.clock.now() >= end and random.random() < 0.5:
            await settlement.close(months[closed])
            closed += 1
            for statement in await settlement.list_statements():
                assert documents.setdefault(statement.id, statement.document) == statement.document
    # What was charged since the last month was closed stands on a statement of one that nothing else happens in.
    settlement.clock.instant += timedelta(days=70)
    for month in ("2027-03", "2027-04"):
        await settlement.close(month)
    placed = await list_placed(settlement)
    assert {record_id: placed[record_id] for record_id in charged} == dict.fromkeys(charged, 1)
    assert not [record_id for record_id in {*waiting, *others} if placed[record_id]]
    assert charged
    await check_whole(settlement)


# What somebody with the database in hand might do to what was judged or waits, and what the audit calls it.
CHANGES = {
    "not judged": ("judgement", "SET state = 'suspended' WHERE state = 'charged'"),
    "other verdict": ("judgement", "SET state = 'written_off' WHERE state = 'charged'"),
    "no entry": ("judgement", "SET entry_id = NULL WHERE state = 'charged'"),
    "other number": ("judgement", "SET entry_sequence = 1 WHERE state = 'charged'"),
    "other amount": ("posting", "SET amount_nano = '7' WHERE state = 'charged'"),
    "judged without an entry": ("judgement", "SET state = 'charged' WHERE state = 'suspended'"),
    "other amount waits": ("suspense", "SET amount_nano = '7' WHERE state = 'suspended'"),
}


@pytest.mark.parametrize(("what", "change"), CHANGES.values(), ids=CHANGES)
async def test_changed_judgement_is_named(settlement: Settlement, what: str, change: str) -> None:
    left = settlement.world.left
    await top_up(settlement.control.storage, left.organization.id, COST_NANO)
    await judge(settlement, await suspend(settlement, left, NOW), CHARGE)
    await suspend(settlement, left, NOW)
    await check_whole(settlement)
    await execute_unguarded(settlement.ledger.storage, (), f"UPDATE suspended_record {change}")
    async with settlement.control.storage.read() as view:
        difference = (await audit_ledger(view, lambda _: None)).difference
    assert difference is not None
    assert difference.what == what, difference
    assert difference.expected != difference.found


async def test_charged_day_waits_for_its_statement_and_a_closed_one_is_not_charged(
    storage: Database, clock: FixedClock, tmp_path: Path
) -> None:
    world = await open_retention_world(storage, clock, tmp_path / "archive")
    settlement, left = world.settlement, world.settlement.world.left
    await world.fill()
    old, young = [await suspend(settlement, left, at) for at in (NOW - timedelta(days=1), NOW - timedelta(seconds=5))]
    await top_up(storage, left.organization.id, 10**9)
    await world.settle()
    assert (await judge(settlement, young, CHARGE)).outcome is SuspenseOutcome.CHARGED
    await world.run()
    mark = await world.get_mark()
    assert mark.closed_through == YESTERDAY
    plan = await world.plan()
    assert plan.step is RetentionStep.CLOSE
    assert plan.day is not None
    assert plan.day.hold is not None
    assert (plan.day.facts.day, plan.day.hold.code) == (TODAY, HoldCode.OPEN_STATEMENT)
    # The other one's day went: nobody had judged it.
    assert (await judge(settlement, old, CHARGE)).outcome is SuspenseOutcome.CLOSED_DAY
    assert (await judge(settlement, old, WRITE_OFF)).outcome is SuspenseOutcome.WRITTEN_OFF
    await settlement.close("2026-12")
    clock.instant += timedelta(days=31)
    await world.archive()
    await world.run()
    assert (await world.get_mark()).deleted_through == TODAY
    clock.instant += GRACE
    audit = await world.audit()
    assert audit.difference is None, audit.difference
