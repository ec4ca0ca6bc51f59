"""Receipts: each record of an entry has one that leads to the entry's root, and a record of another has none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.access import OrganizationScope, PlatformScope
from keisan.domain.entry import EntryKind
from keisan.domain.errors import InvariantBroken, NotFound
from keisan.domain.ids import EntryId
from keisan.domain.merkle import compute_root, follow_path, hash_leaf
from keisan.domain.usage import PostedRecord
from keisan.kit.ids import create_id
from keisan.ledger.journal import EntryDraft
from keisan.ledger.receipt import build_receipt, find_receipt, hash_leaves, order_records
from keisan.ledger.record_source import open_records
from keisan.storage.database import Database
from keisan.wire.leaf import LeafWriter
from tests.domain.samples import build_posted, build_record, name_id, name_record_id
from tests.factories import PUBLIC_KEY, FixedClock, build_entry, build_journal, plant_world


def build_many(count: int) -> list[PostedRecord]:
    sites = [name_id(6, 1), name_id(6, 2)]
    return [
        build_posted(build_record(id=name_record_id(number), site_id=sites[number % 2]), chip=f"chip {number % 3}")
        for number in range(count)
    ]


@given(st.integers(1, 12), st.data())
def test_receipt_of_every_record_leads_to_the_root(count: int, data: st.DataObject) -> None:
    records = data.draw(st.permutations(build_many(count)))
    root = compute_root(hash_leaves(order_records(records)))
    for each in records:
        receipt = build_receipt(build_entry(), records, each.record.id, PUBLIC_KEY)
        assert receipt.leaf == LeafWriter().write(each)
        assert follow_path(hash_leaf(receipt.leaf), receipt.index, count, receipt.path) == root


@given(st.permutations(range(7)))
def test_leaves_stand_in_order_of_record_id_however_records_come(order: list[int]) -> None:
    records = build_many(7)
    shuffled = [records[number] for number in order]
    assert [each.record.id for each in order_records(shuffled)] == [name_record_id(number) for number in range(7)]
    receipt = build_receipt(build_entry(), shuffled, name_record_id(5), PUBLIC_KEY)
    assert receipt.index == 5


def test_record_of_another_entry_has_no_receipt() -> None:
    with pytest.raises(InvariantBroken):
        build_receipt(build_entry(), build_many(3), name_record_id(9), PUBLIC_KEY)


def test_writer_gives_each_record_its_own_context() -> None:
    writer = LeafWriter()
    assert [writer.write(each) for each in build_many(12)] == [LeafWriter().write(each) for each in build_many(12)]
    assert len({LeafWriter().write(each) for each in build_many(12)}) == 12


async def test_record_of_before_the_journal_has_no_receipt(storage: Database) -> None:
    world = await plant_world(storage)
    async with storage.read() as view:
        with pytest.raises(NotFound, match="before there were receipts"):
            await find_receipt(await open_records(view, None), PlatformScope(), world.left.record.id)


async def test_receipt_is_found_within_the_scope(storage: Database) -> None:
    world = await plant_world(storage)
    journal, posted = build_journal(world.platform.id, FixedClock()), build_many(3)
    entry_id = EntryId(create_id())
    sealed = [each._replace(charge=each.charge._replace(entry_id=entry_id)) for each in posted]
    async with storage.write() as transaction:
        await transaction.usage.insert_many(sealed)
        draft = EntryDraft(EntryKind.USAGE, (), leaf_hashes=hash_leaves(order_records(sealed)), id=entry_id)
        await journal.write_entry(transaction, draft)
    async with storage.read() as view:
        receipt = await find_receipt(await open_records(view, None), PlatformScope(), sealed[1].record.id)
        with pytest.raises(NotFound):
            await find_receipt(
                await open_records(view, None), OrganizationScope(world.left.organization.id), sealed[1].record.id
            )
    assert receipt.leaf == LeafWriter().write(sealed[1])
    assert receipt.public_key == PUBLIC_KEY
