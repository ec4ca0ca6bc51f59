"""Closing months on both databases: each record is on one statement of each side, whenever it came."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from sqlalchemy import text

from keisan.domain.errors import InvariantBroken, StateConflict
from keisan.domain.limits import USAGE_LATE_S_MAX
from keisan.domain.merkle import compute_root, hash_leaf
from keisan.domain.page import PageRequest
from keisan.domain.statement import CloseOutcome, HolderKind, StatementHolder, parse_period
from keisan.domain.statement_document import digest_document, read_document
from keisan.kit.signature import is_signed_by
from keisan.ledger import statement as ledger_statement
from keisan.ledger.receipt import build_receipt
from keisan.ledger.statement import draw_statement
from keisan.storage.database import Database
from tests.deadline import let_time_pass_async
from tests.domain.samples import build_posted, create_record_id
from tests.factories import NOW, PUBLIC_KEY, FixedClock, create_record
from tests.settlement import EVERYTHING, Settlement, open_settlement
from tests.storage.rows import execute

# The planted records are of November.
NOVEMBER_CLOSES_AT = datetime(2026, 12, 8, tzinfo=UTC)
DECEMBER_CLOSES_AT = datetime(2027, 1, 8, tzinfo=UTC)
COST_NANO = 30_500


@pytest.fixture
async def settlement(storage: Database, clock: FixedClock) -> Settlement:
    return await open_settlement(storage, clock)


async def test_period_closes_no_sooner_than_its_records_are_late(settlement: Settlement) -> None:
    settlement.clock.instant = NOVEMBER_CLOSES_AT - timedelta(microseconds=1)
    with pytest.raises(StateConflict, match="2026-12-08"):
        await settlement.close("2026-11")
    assert await settlement.list_statements() == []
    settlement.clock.instant = NOVEMBER_CLOSES_AT
    assert await settlement.close("2026-11") == {CloseOutcome.CLOSED: 4}


async def test_statement_is_signed_and_says_what_its_records_say(settlement: Settlement) -> None:
    left, right = settlement.world.left, settlement.world.right
    for _ in range(3):
        await settlement.hand_in(left, right, NOW)
    settlement.clock.instant = NOVEMBER_CLOSES_AT
    await settlement.close("2026-11")
    customer = await settlement.get_statement(settlement.name_customer(left), "2026-11")
    provider = await settlement.get_statement(settlement.name_provider(right), "2026-11")
    for statement in (customer, provider):
        content = read_document(statement.document)
        assert is_signed_by(PUBLIC_KEY, statement.document, statement.signature)
        assert digest_document(statement.document) == statement.document_sha256
        assert (content.id, content.holder, content.period) == (statement.id, statement.holder, statement.period)
        assert (content.totals, content.balances) == (statement.totals, statement.balances)
        assert (content.records_root, content.closed_at) == (statement.records_root, NOVEMBER_CLOSES_AT)
        assert (statement.totals.record_count, statement.totals.amount_nano) == (4, 4 * COST_NANO)
    [line] = read_document(customer.document).lines
    assert (line.project_name, line.key_name) == (left.project.name, left.key.name)
    assert (line.price_version, line.nano_per_million) == (1, settlement.world.price.nano_per_million)
    [line] = read_document(provider.document).lines
    assert (line.site_name, line.sum.chip) == (right.site.name, right.replica.chip)
    # What was planted was never posted.
    assert (customer.balances.closing_nano, provider.balances.closing_nano) == (-3 * COST_NANO, 3 * COST_NANO)


async def test_root_stands_above_the_receipts_fetched_one_by_one(
    settlement: Settlement, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Chunks that end within the span, at its end, and one that is not full.
    monkeypatch.setattr(ledger_statement, "STATEMENT_CHUNK_RECORDS_MAX", 2)
    left, right = settlement.world.left, settlement.world.right
    for hours in (1, 30, 7, 100, 3):
        await settlement.hand_in(left, right, NOW - timedelta(hours=hours))
    settlement.clock.instant = NOVEMBER_CLOSES_AT
    await settlement.close("2026-11")
    statement = await settlement.get_statement(settlement.name_provider(right), "2026-11")
    leaves = []
    async with settlement.control.storage.read() as view:
        for posted in await settlement.list_records(statement):
            if posted.charge.entry_id is None:
                leaves.append(ledger_statement.name_leaves([posted])[0][1].encode())
                continue
            entry = await view.entries.get(EVERYTHING, posted.charge.entry_id)
            of_entry = await view.usage.list_entry(EVERYTHING, entry.id)
            leaves.append(build_receipt(entry, of_entry, posted.record.id, PUBLIC_KEY).leaf)
    assert len(leaves) == 6
    assert compute_root(hash_leaf(leaf) for leaf in leaves).hex() == statement.records_root


async def test_closing_again_closes_once(settlement: Settlement) -> None:
    settlement.clock.instant = NOVEMBER_CLOSES_AT
    asked = await settlement.ask("2026-11")
    # Whoever asks for what is under way hears of that one.
    assert await settlement.ask("2026-11") == asked
    assert await settlement.close("2026-11") == {CloseOutcome.CLOSED: 4}
    before = await settlement.list_statements()
    assert await settlement.close("2026-11") == {CloseOutcome.EXISTS: 4}
    assert await settlement.list_statements() == before
    assert len(before) == 4


@pytest.mark.parametrize("change", ["UPDATE statement SET currency = 'X'", "DELETE FROM statement"])
async def test_closed_statement_is_never_changed(settlement: Settlement, change: str) -> None:
    settlement.clock.instant = NOVEMBER_CLOSES_AT
    await settlement.close("2026-11")
    with pytest.raises(InvariantBroken, match="append-only"):
        await execute(settlement.ledger.storage, text(change))


async def test_late_record_is_paid_by_suspense_and_stands_on_the_providers_next_statement(
    settlement: Settlement,
) -> None:
    left, right = settlement.world.left, settlement.world.right
    settlement.clock.instant = NOVEMBER_CLOSES_AT
    await settlement.close("2026-11")
    closed = await settlement.list_statements()
    # The latest that a record of the month can have been admitted, as early as it can come now.
    last_moment = datetime(2026, 11, 30, 23, 59, 59, 999_000, tzinfo=UTC)
    late_id = await settlement.hand_in(left, right, last_moment)
    async with settlement.control.storage.read() as view:
        [suspended] = (await view.suspense.list(EVERYTHING, PageRequest())).items
    assert (suspended.record_id, suspended.code) == (late_id, "late")
    await settlement.hand_in(left, right, NOVEMBER_CLOSES_AT)
    settlement.clock.instant = DECEMBER_CLOSES_AT
    await settlement.close("2026-12")
    assert [each for each in await settlement.list_statements() if each in closed] == closed
    for each in closed:
        assert late_id not in {posted.record.id for posted in await settlement.list_records(each)}
    customer = await settlement.get_statement(settlement.name_customer(left), "2026-12")
    provider = await settlement.get_statement(settlement.name_provider(right), "2026-12")
    assert (customer.totals.record_count, provider.totals.record_count) == (1, 2)
    assert [line.sum.is_late for line in read_document(provider.document).lines] == [False, True]
    first, _ = await settlement.list_records(provider)
    assert first.record.id == late_id
    assert provider.balances.opening_nano == closed[-1].balances.closing_nano == 0


async def test_suspended_record_is_the_providers_only(settlement: Settlement) -> None:
    left, right = settlement.world.left, settlement.world.right
    await settlement.hand_in(left, right, NOW, ticket_id=str(create_record_id(NOW)))
    settlement.clock.instant = NOVEMBER_CLOSES_AT
    await settlement.close("2026-11")
    customer = await settlement.get_statement(settlement.name_customer(left), "2026-11")
    provider = await settlement.get_statement(settlement.name_provider(right), "2026-11")
    assert (customer.totals.record_count, provider.totals.record_count) == (1, 2)


async def test_earlier_month_with_records_comes_first_and_later_ones_are_not_reopened(settlement: Settlement) -> None:
    left, right = settlement.world.left, settlement.world.right
    settlement.clock.instant = datetime(2026, 12, 2, tzinfo=UTC)
    await settlement.hand_in(left, right, settlement.clock.instant)
    settlement.clock.instant = DECEMBER_CLOSES_AT
    assert await settlement.close("2026-12") == {CloseOutcome.EARLIER_OPEN: 4}
    assert await settlement.close("2026-11") == {CloseOutcome.CLOSED: 4}
    assert await settlement.close("2026-12") == {CloseOutcome.CLOSED: 2, CloseOutcome.EMPTY: 2}
    assert await settlement.close("2026-10") == {CloseOutcome.PASSED: 4}


async def test_posting_under_way_is_awaited(settlement: Settlement) -> None:
    """Whoever inserted before the month closed may still commit: its record is on the statement."""
    storage = settlement.ledger.storage
    world, side = settlement.world, settlement.world.left
    settlement.clock.instant = NOVEMBER_CLOSES_AT
    async with asyncio.TaskGroup() as group, storage.write() as transaction:
        record = create_record(side.key, world.price, side.replica, world.gateway)
        await transaction.usage.insert_many([build_posted(record, entry_id=None)])
        closing = group.create_task(settlement.close("2026-11"))
        # Long enough for a closing that does not wait to have read without it.
        await let_time_pass_async(0.5)
        assert not closing.done()
    statement = await settlement.get_statement(settlement.name_customer(side), "2026-11")
    assert statement.totals.record_count == 2


def choose_split(random: Random, amount_nano: int) -> tuple[int, int]:
    """Return what of an amount is its provider's, and what is tax."""
    provider_nano = random.randrange(amount_nano + 1)
    return provider_nano, random.randrange(amount_nano - provider_nano + 1)


@pytest.mark.parametrize("seed", range(4))
async def test_what_customers_and_suspense_pay_is_what_providers_tax_and_revenue_get(
    settlement: Settlement, seed: int
) -> None:
    random, world = Random(seed), settlement.world
    sides, posted, suspended = (world.left, world.right), [], {}
    for _ in range(60):
        payer, payee = random.choice(sides), random.choice(sides)
        instant = datetime(2026, 10, 31, 23, tzinfo=UTC) + timedelta(seconds=random.randrange(31 * 86_400))
        amount_nano = random.choice([0, 1, 7, 10**9, 10**20, 10**36])
        record = create_record(payer.key, world.price, payee.replica, world.gateway)
        changed = record._replace(
            id=create_record_id(instant), day=instant.date(), admitted_at=instant, amount_nano=amount_nano
        )
        provider_nano, tax_nano = choose_split(random, amount_nano)
        posted.append(build_posted(changed, entry_id=None, provider_nano=provider_nano, tax_nano=tax_nano))
        if random.random() < 0.2:
            suspended[changed.id] = "late"
    async with settlement.control.storage.write() as transaction:
        await transaction.usage.insert_many(posted)
        await transaction.usage.suspend_many(suspended, posted, NOW)
    totals = await sum_statements(settlement, "2026-11")
    of_month = [each for each in posted if each.record.day.month == 11]
    planted_nano = 2 * COST_NANO
    suspense_nano = sum(each.record.amount_nano for each in of_month if each.record.id in suspended)
    rest_nano = sum(each.record.amount_nano - each.charge.provider_nano for each in of_month)
    tax_nano = sum(each.charge.tax_nano for each in of_month if each.record.id not in suspended)
    assert totals[HolderKind.CUSTOMER] + suspense_nano == totals[HolderKind.PROVIDER] + rest_nano
    assert totals[HolderKind.CUSTOMER] + suspense_nano == planted_nano + sum(
        each.record.amount_nano for each in of_month
    )
    assert totals["tax"] == tax_nano


async def sum_statements(settlement: Settlement, period: str) -> Counter[str]:
    settlement.clock.instant = NOVEMBER_CLOSES_AT + timedelta(days=1)
    totals = Counter[str]()
    async with settlement.control.storage.read() as view:
        for holder in await view.statement_records.list_holders(EVERYTHING):
            content = await draw_statement(view, EVERYTHING, holder, parse_period(period))
            totals[holder.kind] += content.totals.amount_nano
            totals["tax"] += content.totals.tax_nano
    return totals


@pytest.mark.parametrize("seed", range(3))
async def test_each_record_is_on_one_statement_of_each_side_whenever_it_came(settlement: Settlement, seed: int) -> None:
    """Records come in any order, some late, while months are closed: what moved is what the statements say."""
    random, world = Random(seed), settlement.world
    months, closed = ["2026-10", "2026-11", "2026-12", "2027-01"], 0
    settlement.clock.instant = datetime(2026, 10, 2, tzinfo=UTC)
    for _ in range(40):
        settlement.clock.instant += timedelta(seconds=random.randrange(4 * 86_400))
        now = settlement.clock.instant
        age_s = random.choice([0, 3600, USAGE_LATE_S_MAX - 1, USAGE_LATE_S_MAX + 1, 40 * 86_400])
        admitted_at = max(now - timedelta(seconds=age_s), datetime(2026, 10, 1, tzinfo=UTC))
        payer, payee = random.choice((world.left, world.right)), random.choice((world.left, world.right))
        await settlement.hand_in(payer, payee, admitted_at)
        if random.random() < 0.5 and closed < len(months):
            try:
                await settlement.close(months[closed])
            except StateConflict:
                continue
            closed += 1
    settlement.clock.instant = datetime(2027, 6, 8, tzinfo=UTC)
    for month in [*months, "2027-02", "2027-03", "2027-04", "2027-05"]:
        counts = await settlement.close(month)
        assert CloseOutcome.EARLIER_OPEN not in counts, (seed, month, counts)
    await check_books(settlement)


async def check_books(settlement: Settlement) -> None:
    seen: dict[HolderKind, list[object]] = {kind: [] for kind in HolderKind}
    amounts = Counter[StatementHolder]()
    for statement in await settlement.list_statements():
        records = await settlement.list_records(statement)
        assert len(records) == statement.totals.record_count
        seen[statement.holder.kind] += [posted.record.id for posted in records]
        amounts[statement.holder] += statement.totals.amount_nano
        leaves = [leaf for _, leaf in ledger_statement.name_leaves(records)]
        assert compute_root(hash_leaf(leaf.encode()) for leaf in leaves).hex() == statement.records_root
    async with settlement.control.storage.read() as view:
        suspended = {each.record_id for each in (await view.suspense.list(EVERYTHING, PageRequest(limit=500))).items}
    assert suspended
    assert len(seen[HolderKind.PROVIDER]) == len(set(seen[HolderKind.PROVIDER])) == 42
    assert set(seen[HolderKind.CUSTOMER]) == set(seen[HolderKind.PROVIDER]) - suspended
    assert len(seen[HolderKind.CUSTOMER]) == len(set(seen[HolderKind.CUSTOMER]))
    balances = await settlement.ledger.read_balances()
    for holder, amount_nano in amounts.items():
        # One record of each side was planted and never posted.
        sign = 1 if holder.kind is HolderKind.PROVIDER else -1
        assert balances[holder.id] == sign * (amount_nano - COST_NANO)
