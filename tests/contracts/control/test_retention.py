"""Retention of usage records on both databases: what must still be true of a record when its row is gone."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from keisan.control.dispute import open_dispute
from keisan.control.statement import draw_open_statement
from keisan.domain.access import Role
from keisan.domain.errors import InvariantBroken, RecordsArchived, StorageUnavailable
from keisan.domain.retention import HoldCode, RetentionMark
from keisan.domain.usage import IntakeOutcome, PostedRecord
from keisan.ledger import intake
from keisan.ledger.record_source import open_records
from keisan.ledger.rule import Facts
from keisan.storage.archive_file import write_days
from keisan.storage.archive_schema import build_table
from keisan.storage.base import Transaction
from keisan.storage.database import Database
from keisan.wire.dispute import DisputeCreate
from keisan.wire.statement import PreviewQuery
from tests.domain.samples import create_record_id
from tests.factories import NOW, FixedClock, Side
from tests.retention_world import (
    ALL_DAYS,
    CLOSED_AT,
    GRACE,
    OLD_AT,
    TODAY,
    YESTERDAY,
    RetentionWorld,
    open_retention_world,
    read_all,
)
from tests.settlement import EVERYTHING, create_principal
from tests.storage.rows import execute, fetch_value

# Every step of everything, on a machine that others share and with every line counted.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture
async def world(storage: Database, clock: FixedClock, tmp_path: Path) -> RetentionWorld:
    return await open_retention_world(storage, clock, tmp_path / "archive")


async def test_days_go_and_everything_is_told_as_before(world: RetentionWorld) -> None:
    ids = await world.fill()
    before, audit = await read_all(world, ids), await world.audit()
    await world.settle()
    statements = await world.settlement.list_statements()
    # The planted records are older than the journal.
    count = await world.count_stored()
    assert count == len(ids) + 2
    await world.run()
    assert await world.count_stored() == 0
    mark = await world.get_mark()
    assert (mark.closed_through, mark.archived_through, mark.deleted_through) == (TODAY, TODAY, TODAY)
    assert await read_all(world, ids) == before
    assert await world.settlement.list_statements() == statements
    after = await world.audit()
    assert after.difference is None
    assert (after.record_count, after.balances, after.charged) == (count, audit.balances, audit.charged)
    gone = await world.list_events("retention.deleted")
    assert [(each.detail["day"], each.detail["kind"]) for each in gone] == [
        (str(YESTERDAY), "usage"),
        (str(TODAY), "usage"),
    ]
    assert sum(int(each.detail["record_count"]) for each in gone) == count
    assert {each.detail["rule"] for each in gone} == {"platform.retention.usage_days = 60"}
    assert len(await world.list_events("retention.day_closed")) == 2


async def test_rows_stay_for_as_long_as_an_answer_may_take(world: RetentionWorld) -> None:
    ids = await world.fill()
    await world.settle()
    before = await read_all(world, ids)
    await world.rest()
    mark = await world.get_mark()
    assert (mark.archived_through, mark.deleted_through) == (YESTERDAY, None)
    assert await world.count_stored() == len(ids) + 2
    # Each record is told once though it is in both places.
    assert await read_all(world, ids) == before
    assert (await world.audit()).difference is None
    world.clock.instant += GRACE - timedelta(seconds=1)
    await world.rest()
    assert await world.count_stored() == len(ids) + 2


async def test_record_of_a_closed_day_is_never_posted_twice(world: RetentionWorld) -> None:
    await world.fill()
    await world.settle()
    ledger = world.settlement.ledger
    record_id, (payer, payee, admitted_at) = next(iter(world.lines.items()))
    line = ledger.write_record(record_id, payer, **name_facts(payee, admitted_at))
    (answer,) = await ledger.hand_in(line)
    assert answer.outcome is IntakeOutcome.EXISTS
    balances = await ledger.read_balances()
    await world.run()
    quarantined = await ledger.count_quarantined()
    other = ledger.write_record(create_record_id(admitted_at), payer, **name_facts(payee, admitted_at))
    changed = ledger.write_record(record_id, payer, **name_facts(payee, admitted_at), event_count=9)
    for answer in await ledger.hand_in(line, other, changed):
        assert (answer.outcome, answer.code) == (IntakeOutcome.REFUSED, "closed_day")
    assert await ledger.count_quarantined() == quarantined + 3
    # Whatever the clock says: the platform's, set back to the day itself, decides nothing.
    world.clock.instant = admitted_at
    (answer,) = await ledger.hand_in(line)
    assert (answer.outcome, answer.code) == (IntakeOutcome.REFUSED, "closed_day")
    assert await ledger.read_balances() == balances
    assert await world.count_stored() == 0
    assert (await world.audit()).difference is None


def name_facts(payee: Side, admitted_at: datetime) -> dict[str, object]:
    """Return whose replica answered, and when, as a record says it."""
    return {
        "deployment_id": str(payee.deployment.id),
        "replica_id": str(payee.replica.id),
        "provider_id": str(payee.provider.id),
        "site_id": str(payee.site.id),
        "admitted_at_ms": int(admitted_at.timestamp() * 1000),
        "day": admitted_at.date().isoformat(),
    }


async def test_batch_that_a_day_is_closed_under_is_handed_in_again(
    world: RetentionWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The day is closed after a batch has read its facts, by a transaction of another process on PostgreSQL."""
    ledger, left = world.settlement.ledger, world.settlement.world.left
    real = intake._check_days

    async def close_first(transaction: Transaction, posted: Sequence[PostedRecord], facts: Facts) -> None:
        await transaction.retention.put_mark(RetentionMark(closed_through=TODAY))
        await real(transaction, posted, facts)

    line = ledger.write_record(create_record_id(NOW), left)
    with monkeypatch.context() as patch:
        patch.setattr(intake, "_check_days", close_first)
        with pytest.raises(StorageUnavailable, match="closed meanwhile"):
            await ledger.hand_in(line)
    async with world.storage.write() as transaction:
        await transaction.retention.put_mark(RetentionMark(closed_through=TODAY))
    (answer,) = await ledger.hand_in(line)
    assert answer.code == "closed_day"


@pytest.mark.parametrize("what", ["changed", "missing", "unlisted", "rewritten"])
async def test_audit_names_an_archived_file_that_is_not_what_it_was(world: RetentionWorld, what: str) -> None:
    await world.fill()
    await world.settle()
    await world.run()
    file = (await world.list_files())[0]
    path = world.folder.root / file.name
    if what == "missing":
        path.unlink()
    elif what == "changed":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif what == "rewritten":
        # With the digest in the database too: the entries' roots are signed.
        other = next(each for each in await world.list_files() if each.day == file.day and each != file)
        path.write_bytes((world.folder.root / other.name).read_bytes())
        digests = dict(await world.folder.digest([file]))
        async with world.storage.write() as transaction:
            await transaction.archive.put_digests(digests)
    else:
        async with world.storage.write() as transaction:
            await transaction.archive.mark_replaced([file], world.clock.now())
    difference = (await world.audit()).difference
    assert difference is not None
    if what in ("changed", "missing"):
        assert (difference.what, difference.where) == ("archived file", file.name)
        assert (difference.found == "missing") == (what == "missing")
    else:
        assert difference.what == "record count"


async def test_what_holds_a_day_is_told_and_holds_it(world: RetentionWorld) -> None:
    ids = await world.fill()
    left = world.settlement.world.left

    async def expect(code: HoldCode) -> None:
        await world.rest()
        plan = await world.plan()
        assert plan.day is not None
        assert plan.day.hold is not None
        assert plan.day.hold.code is code
        assert await world.count_stored() == len(ids) + 2

    await expect(HoldCode.YOUNG)
    await world.hand_in(left, left, NOW - timedelta(days=1))
    ids.append(next(reversed(world.lines)))
    world.clock.instant = OLD_AT
    await expect(HoldCode.NOT_ARCHIVED)
    await world.archive()
    await expect(HoldCode.OPEN_STATEMENT)
    world.clock.instant = OLD_AT
    await world.settlement.close("2026-11")
    await expect(HoldCode.DISPUTE_WINDOW)
    statement = await world.settlement.get_statement(world.settlement.name_customer(left), "2026-11")
    principal = create_principal(Role.ORGANIZATION_ADMIN, left)
    await open_dispute(world.settlement.control, principal, statement.id, DisputeCreate(reason="too much"))
    world.clock.instant += timedelta(days=30)
    await expect(HoldCode.OPEN_DISPUTE)
    assert await world.get_mark() == RetentionMark()


async def test_late_record_holds_its_day_until_it_is_on_a_statement(world: RetentionWorld) -> None:
    await world.fill()
    await world.archive()
    world.clock.instant = CLOSED_AT
    await world.settlement.close("2026-11")
    left, right = world.settlement.world.left, world.settlement.world.right
    late_id = await world.hand_in(left, right, NOW - timedelta(days=1))
    await world.archive()
    world.clock.instant = OLD_AT
    await world.rest()
    plan = await world.plan()
    assert plan.day is not None
    assert plan.day.hold is not None
    assert (plan.day.hold.code, str(right.provider.id) in plan.day.hold.text) == (HoldCode.OPEN_STATEMENT, True)
    await world.settlement.close("2026-12")
    provider = await world.settlement.get_statement(world.settlement.name_provider(right), "2026-12")
    assert [each.record.id for each in await world.settlement.list_records(provider)] == [late_id]
    world.clock.instant += timedelta(days=31)
    await world.run()
    assert await world.count_stored() == 0
    assert (await world.audit()).difference is None


async def test_archive_that_differs_holds_the_day_and_is_told_once(world: RetentionWorld) -> None:
    ids = await world.fill()
    await world.settle()
    files = [each for each in await world.list_files() if each.day == YESTERDAY]
    left_path, right_path = (world.folder.root / each.name for each in files[:2])
    kept = left_path.read_bytes()
    left_path.write_bytes(right_path.read_bytes())
    for _ in range(2):
        await world.rest()
        world.clock.instant += GRACE
    plan = await world.plan()
    assert plan.day is not None
    assert plan.day.hold is not None
    assert plan.day.hold.code is HoldCode.ARCHIVE_DIFFERS
    assert len(await world.list_events("retention.day_held")) == 1
    assert await world.count_stored() == len(ids) + 2
    left_path.unlink()
    with pytest.raises(StorageUnavailable):
        await world.rest()
    left_path.write_bytes(kept)
    await world.run()
    assert await world.count_stored() == 0


async def test_archived_record_that_differs_in_one_number_holds_the_day(world: RetentionWorld) -> None:
    """As many records, of the same ids: only what one of them says is another thing."""
    ids = await world.fill()
    await world.settle()
    file = next(each for each in await world.list_files() if each.day == YESTERDAY and each.first_sequence)
    records = list(world.folder.read_records([file], 0, file.last_sequence))
    posted = records[0].posted
    changed = posted._replace(charge=posted.charge._replace(provider_nano=posted.charge.provider_nano + 1))
    records[0] = replace(records[0], posted=changed)
    (written,) = write_days(world.folder.root, [build_table(records)], world.clock.now())
    assert written.name == file.name
    await world.run()
    mark = await world.get_mark()
    assert (mark.archived_through, str(posted.record.id) in mark.fault) == (None, True)
    assert await world.count_stored() == len(ids) + 2


async def test_file_that_changes_before_its_rows_go_brings_the_day_back(world: RetentionWorld) -> None:
    ids = await world.fill()
    await world.settle()
    await world.rest()
    path = world.folder.root / next(each.name for each in await world.list_files() if each.day == YESTERDAY)
    kept = path.read_bytes()
    path.write_bytes(kept + b"x")
    world.clock.instant += GRACE
    await world.rest()
    mark = await world.get_mark()
    assert (mark.archived_through, mark.deleted_through) == (None, None)
    assert path.name in mark.fault
    assert await world.count_stored() == len(ids) + 2
    assert (await world.audit()).difference is None
    path.write_bytes(kept)
    await world.run()
    assert await world.count_stored() == 0


async def test_nothing_is_deleted_that_is_not_read_from_the_archive(world: RetentionWorld) -> None:
    await world.fill()
    with pytest.raises(InvariantBroken):
        async with world.storage.write() as transaction:
            await transaction.retention.delete_day(TODAY, 10)
    async with world.storage.write() as transaction:
        await transaction.retention.put_mark(RetentionMark(archived_through=YESTERDAY))
    with pytest.raises(InvariantBroken):
        await execute(world.storage, text(f"DELETE FROM usage_record WHERE day = '{TODAY}'"))


async def test_closed_month_is_not_drawn_again_from_what_is_left(world: RetentionWorld) -> None:
    await world.fill()
    await world.settle()
    await world.run()
    holder = world.settlement.name_customer(world.settlement.world.left)
    query = PreviewQuery(holder_kind=holder.kind, holder_id=holder.id, currency="CNY", period="2026-11")
    with pytest.raises(RecordsArchived, match="closed statement"):
        await draw_open_statement(world.settlement.control, world.settlement.admin, query)
    async with world.storage.read() as view:
        source = await open_records(view, world.folder)
        with pytest.raises(RecordsArchived):
            source.require_stored(ALL_DAYS)
        source.require_stored(replace(ALL_DAYS, since=TODAY + timedelta(days=1)))


async def run_rounds_quickly(world: RetentionWorld) -> None:
    for _ in range(200):
        # Whoever waits for a lock as long as others do waits ten seconds.
        async with asyncio.timeout(9):
            await world.run_round()


@pytest.mark.postgresql
async def test_partition_is_dropped_and_waits_for_no_reader_long(
    postgresql_storage: Database, clock: FixedClock, tmp_path: Path
) -> None:
    world = await open_retention_world(postgresql_storage, clock, tmp_path / "archive")
    await world.fill()
    await world.settle()
    await world.rest()
    world.clock.instant += GRACE
    async with world.storage.read() as view:
        await view.retention.hold_days()
        with pytest.raises(StorageUnavailable):
            await run_rounds_quickly(world)
        assert await view.usage.count(EVERYTHING) > 0
    await world.rest()
    found = text(f"SELECT count(*) FROM pg_class WHERE relname = 'usage_record_{YESTERDAY:%Y%m%d}'")
    assert await fetch_value(world.storage, found) == 0
