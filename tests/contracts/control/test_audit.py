"""The audit of settlement on both databases: statements and payouts are derived again, and a changed one is named."""

from datetime import UTC, datetime

import pytest

from keisan.control.payout import create_payout
from keisan.domain.payout import PayoutOutcome
from keisan.ledger.audit import Audit, audit_ledger
from keisan.storage.database import Database
from keisan.wire.payout import PayoutCreate
from tests.factories import NOW, FixedClock
from tests.settlement import Settlement, open_settlement
from tests.storage.rows import execute_unguarded


@pytest.fixture
async def settlement(storage: Database, clock: FixedClock) -> Settlement:
    """A settlement whose November is closed, and whose provider is paid."""
    opened = await open_settlement(storage, clock)
    async with storage.write() as transaction:
        await opened.ledger.journal.write_opening(transaction)
    for _ in range(3):
        await opened.hand_in(opened.world.left, opened.world.right, NOW)
    clock.instant = datetime(2026, 12, 8, tzinfo=UTC)
    # A record more, of December, so that the payable holds what November's statement says.
    await opened.hand_in(opened.world.left, opened.world.right, clock.instant)
    await opened.close("2026-11")
    statement = await opened.get_statement(opened.name_provider(opened.world.right), "2026-11")
    paid = await create_payout(opened.control, opened.admin, statement.id, PayoutCreate(note="reference 7"))
    assert paid.outcome is PayoutOutcome.CREATED
    return opened


async def run(settlement: Settlement) -> Audit:
    async with settlement.control.storage.read() as view:
        return await audit_ledger(view, lambda _: None)


async def test_what_was_settled_holds(settlement: Settlement) -> None:
    audit = await run(settlement)
    assert audit.difference is None
    assert audit.statement_count == len(await settlement.list_statements()) == 4


# What somebody with the database in hand might do, and what the audit calls it.
CHANGES = {
    "root": ("columns", "UPDATE statement SET records_root = 'other'"),
    "end": ("columns", "UPDATE statement SET entry_sequence = entry_sequence + 1"),
    "digest": ("columns", "UPDATE statement SET document_sha256 = 'other'"),
    "signature": ("signature", "UPDATE statement SET signature = document"),
    "paid by suspense": (
        "statement",
        (
            "INSERT INTO suspended_record (record_id, day, platform_id, organization_id, currency, amount_nano, code, "
            "created_at, state, note) SELECT id, day, 'one', organization_id, 'CNY', 0, 'late', admitted_at, 'suspended', "
            "'' FROM usage_record WHERE entry_id IS NULL"
        ),
    ),
    "payout": ("payout", "UPDATE payout SET amount_nano = '7'"),
    "payout that moved nothing": ("payout", "UPDATE payout SET entry_id = id"),
}


@pytest.mark.parametrize(("what", "change"), CHANGES.values(), ids=CHANGES)
async def test_change_of_what_was_settled_is_named(
    settlement: Settlement, storage: Database, what: str, change: str
) -> None:
    await execute_unguarded(storage, ("statement", "payout"), change)
    difference = (await run(settlement)).difference
    assert difference is not None
    assert difference.what == what, difference
    assert difference.expected != difference.found
