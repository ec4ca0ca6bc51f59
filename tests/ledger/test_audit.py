"""The audit finds nothing in books that were kept, and names whatever was changed behind their back."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from keisan.domain.account import AccountKey, AccountKind, Transfer
from keisan.domain.entry import EntryKind
from keisan.ledger import audit as module
from keisan.ledger.audit import Audit, audit_ledger
from keisan.ledger.journal import EntryDraft
from tests.domain.samples import create_record_id
from tests.factories import NOW
from tests.ledger.intake_world import IntakeWorld, open_world, plant_template
from tests.storage.rows import execute, fetch_value

TABLES = ("entry", "posting", "usage_record", "usage_context")


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[IntakeWorld]:
    """A platform with what was posted before its journal, a top-up, and batches of both organizations."""
    template = tmp_path / "template.db"
    world = await plant_template(template)
    async with open_world(tmp_path / "keisan.db", template, world) as opened:
        async with opened.storage.write() as transaction:
            await opened.journal.write_opening(transaction)
            await opened.journal.write_opening(transaction)
            outside = AccountKey(AccountKind.OUTSIDE, None, None, "CNY")
            wallet = AccountKey(AccountKind.WALLET, world.left.organization.id, None, "CNY")
            draft = EntryDraft(EntryKind.TOP_UP, [Transfer(outside, wallet, 10**12)], world.left.organization.id)
            await opened.journal.write_entry(transaction, draft)
        for count in (3, 1, 5):
            sides = (world.left, world.right)
            lines = [opened.write_record(create_record_id(NOW), sides[place % 2]) for place in range(count)]
            await opened.hand_in(*lines)
        # A ticket that there is not: suspense pays.
        await opened.hand_in(opened.write_record(create_record_id(NOW), ticket_id=str(create_record_id(NOW))))
        yield opened


async def run(ledger: IntakeWorld) -> Audit:
    async with ledger.storage.read() as view:
        return await audit_ledger(view, lambda _: None)


async def test_books_that_were_kept_hold(ledger: IntakeWorld) -> None:
    told: list[int] = []
    async with ledger.storage.read() as view:
        audit = await audit_ledger(view, lambda audit: told.append(audit.record_count))
    assert audit.difference is None
    # Two records of the planted world are older than the journal.
    assert (audit.entry_count, audit.record_count) == (6, 12)
    assert audit.end.sequence == 6
    assert sum(audit.balances.values()) == 0
    assert told[-1] == 12


async def test_what_is_read_at_once_is_bounded(ledger: IntakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECORDS_AT_ONCE", 4)
    told: list[int] = []
    async with ledger.storage.read() as view:
        audit = await audit_ledger(view, lambda audit: told.append(audit.record_count))
    assert audit.difference is None
    assert told == sorted(told)
    assert len(told) >= 3


# What somebody with the database in hand might do, and what the audit calls it.
CHANGES: dict[str, tuple[str, str]] = {
    "amount": (
        "records",
        "UPDATE usage_record SET amount_nano = '1' WHERE rowid = (SELECT max(rowid) FROM usage_record)",
    ),
    "older record": ("records", "UPDATE usage_record SET amount_nano = '1' WHERE entry_id IS NULL"),
    "record gone": ("record count", "DELETE FROM usage_record WHERE rowid = (SELECT max(rowid) FROM usage_record)"),
    "context": ("records", "UPDATE usage_context SET chip = 'H20'"),
    "provider's part": ("posting", "UPDATE usage_record SET provider_nano = '7' WHERE entry_id IS NOT NULL"),
    "posting": ("postings", "UPDATE posting SET amount_nano = '7' WHERE rowid = (SELECT max(rowid) FROM posting)"),
    "posting gone": ("postings", "DELETE FROM posting WHERE rowid = (SELECT max(rowid) FROM posting)"),
    "balance": ("balance", "UPDATE account SET balance_nano = '7' WHERE kind = 'suspense'"),
    "entry gone": ("chain", "DELETE FROM entry WHERE sequence = 3"),
    "end cut off": ("end of the chain", "DELETE FROM entry WHERE sequence = 6"),
    "all cut off": ("end of the chain", "DELETE FROM entry"),
    "header": (
        "header",
        "UPDATE entry SET header = replace(CAST(header AS TEXT), 'usage', 'usagE') WHERE sequence = 4",
    ),
    "column": ("columns", "UPDATE entry SET record_count = 99 WHERE sequence = 4"),
    "signature": ("signature", "UPDATE entry SET signature = zeroblob(64) WHERE sequence = 4"),
    "suspense": ("posting", "DELETE FROM suspended_record"),
    "price": ("amount", "UPDATE price SET currency = 'USD'"),
    "ticket": (
        "ticket",
        (
            "INSERT INTO ticket (id, platform_id, organization_id, currency, gateway_id, incarnation, state, credit_nano, "
            "returned_nano, spent_nano, reserved_nano, posted_nano, give_back_nano, wanted_nano, is_contested, expires_at, "
            "created_at) SELECT id, platform_id, organization_id, 'CNY', (SELECT id FROM machine LIMIT 1), id, 'open', '9', "
            "'0', '0', '0', '9', '0', '0', 0, 0, 0 FROM project LIMIT 1"
        ),
    ),
}


@pytest.mark.parametrize(("what", "change"), CHANGES.values(), ids=CHANGES)
async def test_change_is_named(ledger: IntakeWorld, what: str, change: str) -> None:
    drops = [text(f"DROP TRIGGER refuse_{verb}_{table}") for table in TABLES for verb in ("update", "delete")]
    await execute(ledger.storage, *drops, text("PRAGMA defer_foreign_keys = ON"), text(change))
    difference = (await run(ledger)).difference
    assert difference is not None
    assert difference.what == what, difference
    assert difference.expected != difference.found


async def test_records_that_name_no_entry_of_the_chain_are_strays(ledger: IntakeWorld) -> None:
    copied = "UPDATE usage_record SET entry_id = id WHERE rowid = (SELECT max(rowid) FROM usage_record)"
    await execute(ledger.storage, text("DROP TRIGGER refuse_update_usage_record"), text(copied))
    difference = (await run(ledger)).difference
    assert difference is not None
    assert difference.what == "record count"


async def test_record_of_an_entry_that_there_is_not_is_a_stray(ledger: IntakeWorld) -> None:
    copy = (
        text("CREATE TEMP TABLE copied AS SELECT * FROM usage_record WHERE entry_id IS NOT NULL LIMIT 1"),
        text("UPDATE copied SET entry_id = id, id = lower(hex(randomblob(16)))"),
        text("INSERT INTO usage_record SELECT * FROM copied"),
    )
    await execute(ledger.storage, *copy)
    difference = (await run(ledger)).difference
    assert difference is not None
    assert (difference.what, difference.expected, difference.found) == ("records outside entries", "12", "13")


async def test_money_that_moved_outside_the_journal_is_found(ledger: IntakeWorld) -> None:
    moved = (
        "INSERT INTO posting (entry_id, debit_account_id, credit_account_id, currency, amount_nano, record_count, created_at) "
        "SELECT debit_account_id, credit_account_id, debit_account_id, currency, '1', 0, 0 FROM posting LIMIT 1"
    )
    await execute(ledger.storage, text(moved))
    difference = (await run(ledger)).difference
    assert difference is not None
    assert (difference.what, difference.where.startswith("entry 1 ")) == ("postings", True)


async def test_journal_that_was_not_opened_is_a_difference(tmp_path: Path) -> None:
    template = tmp_path / "template.db"
    world = await plant_template(template)
    async with open_world(tmp_path / "keisan.db", template, world) as ledger:
        await ledger.hand_in(ledger.write_record(create_record_id(NOW)))
        assert await fetch_value(ledger.storage, text("SELECT count(*) FROM entry")) == 1
        difference = (await run(ledger)).difference
    assert difference is not None
    assert difference.what == "opening"
