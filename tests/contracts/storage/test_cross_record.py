"""Records of calls across platforms on both databases: of both ends, once each and byte for byte, told by batches, summed exactly."""

from dataclasses import replace
from typing import Any

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.cross_record import BatchHeader, CrossBatch, CrossRecord, CrossState, LeafMark, RecordEnd
from keisan.domain.ids import ProviderId
from keisan.domain.merkle import hash_leaf
from keisan.domain.page import PageRequest
from keisan.domain.settlement import CrossSum, SettlementKey
from keisan.storage.database import Database
from keisan.wire.cross_leaf import write_cross_leaf
from keisan.wire.settlement_text import write_batch
from tests.domain.samples import NOW, ORGANIZATION_ID, name_id, name_record_id
from tests.federation.cross_samples import HOME, PERIOD, SERVING, create_usage

EVERYTHING = PlatformScope()
OTHERS = (OrganizationScope(ORGANIZATION_ID), ProviderScope(ProviderId(name_id(5))))
KEY = SettlementKey(SERVING, HOME, PERIOD)
BATCH_ID = name_id(80)


def create_cross_record(number: int, end: RecordEnd = RecordEnd.SERVING, **changes: Any) -> CrossRecord:
    usage = create_usage(end, record_id=name_record_id(number), **changes)
    # Of a newer platform: not the bytes that this one would write.
    leaf = write_cross_leaf(usage).replace(b'{"schema"', b'{ "colour":1,"schema"')
    return CrossRecord(usage, leaf, hash_leaf(leaf), PERIOD, BATCH_ID, CrossState.SETTLED, "", NOW)


async def test_records_of_both_ends_come_back_byte_for_byte_and_once(storage: Database) -> None:
    serving, home = create_cross_record(1), create_cross_record(1, RecordEnd.HOME)
    async with storage.write() as transaction:
        assert [await transaction.cross_records.insert(each) for each in (serving, home)] == [True, True]
        other = create_cross_record(1, amount_nano=10**30)
        assert not await transaction.cross_records.insert(other)
    async with storage.read() as view:
        record_id = serving.usage.record_id
        assert list(await view.cross_records.list_ends(EVERYTHING, [record_id])) == [home, serving]
        assert list(await view.cross_records.list_batch(EVERYTHING, BATCH_ID)) == [home, serving]
        assert list(await view.cross_records.list_marks(EVERYTHING, KEY)) == [LeafMark(record_id, serving.leaf_hash)]
        for scope in OTHERS:
            assert not await view.cross_records.list_ends(scope, [record_id])
            assert not await view.cross_records.list_marks(scope, KEY)
            assert not await view.cross_records.sum(scope, KEY)
            assert not await view.cross_records.list_batch(scope, BATCH_ID)
            assert not (await view.cross_records.list_page(scope, KEY, PageRequest())).items


async def test_many_are_kept_at_once_where_they_are_new(storage: Database) -> None:
    first, second, third = (create_cross_record(number) for number in (1, 2, 3))
    other = create_cross_record(1, amount_nano=10**30)
    async with storage.write() as transaction:
        await transaction.cross_records.insert_missing([])
        await transaction.cross_records.insert(first)
        await transaction.cross_records.insert_missing([third, other, second])
    async with storage.read() as view:
        ids = [name_record_id(number) for number in (3, 9, 1)]
        assert list(await view.cross_records.list_ends(EVERYTHING, ids)) == [first, third]
        assert not list(await view.cross_records.list_ends(EVERYTHING, []))


async def test_what_waits_is_in_no_settlement_until_a_batch_tells_it(storage: Database) -> None:
    waiting = [replace(create_cross_record(number), batch_id=None) for number in (3, 1, 2)]
    async with storage.write() as transaction:
        for each in waiting:
            await transaction.cross_records.insert(each)
        found = await transaction.cross_records.list_waiting(EVERYTHING, SERVING, HOME, 2)
        assert [each.usage.record_id for each in found] == [name_record_id(1), name_record_id(2)]
        assert not await transaction.cross_records.list_waiting(EVERYTHING, HOME, SERVING, 2)
        assert await transaction.cross_records.list_waiting_audiences(EVERYTHING, SERVING) == [HOME]
        assert not await transaction.cross_records.list_waiting_audiences(OTHERS[0], SERVING)
        assert not await transaction.cross_records.list_waiting(OTHERS[0], SERVING, HOME, 2)
        assert not await transaction.cross_records.list_marks(EVERYTHING, KEY)
        told = [each.usage.record_id for each in found]
        await transaction.cross_records.enter_batch(SERVING, told, BATCH_ID, "2026-11-24")
        await transaction.cross_records.enter_batch(SERVING, told, name_id(81), PERIOD)
    later = replace(KEY, period="2026-11-24")
    async with storage.read() as view:
        page = await view.cross_records.list_page(EVERYTHING, later, PageRequest(limit=1))
        assert [each.batch_id for each in page.items] == [BATCH_ID]
        assert page.next_after == name_record_id(1)
        assert len(await view.cross_records.list_waiting(EVERYTHING, SERVING, HOME, 9)) == 1


async def test_sums_tell_what_is_held_and_are_exact(storage: Database) -> None:
    amounts = (10**30, 10**30 + 1, 5)
    async with storage.write() as transaction:
        for number, amount_nano in enumerate(amounts, start=1):
            await transaction.cross_records.insert(create_cross_record(number, amount_nano=amount_nano))
        await transaction.cross_records.judge(SERVING, name_record_id(3), CrossState.DISPUTED, "a,b")
    async with storage.read() as view:
        found = await view.cross_records.sum(EVERYTHING, KEY)
        (disputed,) = await view.cross_records.list_ends(EVERYTHING, [name_record_id(3)])
    assert list(found) == [
        CrossSum(RecordEnd.SERVING, CrossState.DISPUTED, "CNY", 1, 5),
        CrossSum(RecordEnd.SERVING, CrossState.SETTLED, "CNY", 2, 2 * 10**30 + 1),
    ]
    assert (disputed.state, disputed.code) == (CrossState.DISPUTED, "a,b")


async def test_a_batch_is_kept_as_it_was_signed_and_signed_for_once(storage: Database) -> None:
    header = BatchHeader(BATCH_ID, SERVING, HOME, PERIOD, 1, "ab" * 32, 7)
    content = write_batch(header)[:-1] + b',"colour":"green"}'
    batch = CrossBatch(header, content, b"s" * 64, b"k" * 32)
    async with storage.write() as transaction:
        assert await transaction.cross_batches.insert(batch)
        assert not await transaction.cross_batches.insert(replace(batch, signature=b""))
        await transaction.cross_batches.add_countersignature(BATCH_ID, b"c" * 64, b"d" * 32)
        await transaction.cross_batches.add_countersignature(BATCH_ID, b"e" * 64, b"f" * 32)
    async with storage.read() as view:
        expected = replace(batch, countersignature=b"c" * 64, counter_key=b"d" * 32)
        assert await view.cross_batches.find(EVERYTHING, BATCH_ID) == expected
        assert await view.cross_batches.find(EVERYTHING, name_id(81)) is None
        assert await view.cross_batches.find(OTHERS[0], BATCH_ID) is None
