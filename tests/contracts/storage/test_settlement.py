"""Settlement on both databases: both ends of a call, batches and totals kept byte for byte, settlements locked and changed."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.errors import VersionMismatch
from keisan.domain.ids import ProviderId
from keisan.domain.merkle import hash_leaf
from keisan.domain.page import PageRequest
from keisan.domain.price import TokenClass
from keisan.domain.settlement import (
    HourlyTotal,
    PlatformDispute,
    SettlementKey,
    SettlementState,
    SignedText,
    ToldTotal,
    TotalLine,
)
from keisan.storage.database import Database
from keisan.wire.settlement import write_total
from tests.domain.samples import NOW, ORGANIZATION_ID, name_id, name_record_id
from tests.factories import plant_world
from tests.federation.cross_samples import HOME, PERIOD, SERVING

EVERYTHING = PlatformScope()
OTHERS = (OrganizationScope(ORGANIZATION_ID), ProviderScope(ProviderId(name_id(5))))
KEY = SettlementKey(SERVING, HOME, PERIOD)
BATCH_ID = name_id(80)
SIGNED = SignedText(b'{"a" :1}', b"s" * 64, b"k" * 32)


async def test_settlements_are_taken_changed_and_listed_each_for_itself(storage: Database) -> None:
    await plant_world(storage)
    back, other = replace(KEY, author=HOME, audience=SERVING), replace(KEY, period="2026-11-22")
    async with storage.write() as transaction:
        taken = await transaction.settlements.take(KEY, NOW)
        assert await transaction.settlements.take(KEY, NOW + timedelta(1)) == taken
        await transaction.settlements.take(back, NOW)
        await transaction.settlements.take(other, NOW)
    ended = replace(taken, state=SettlementState.ENDED, revision=1, statement=SIGNED, ended_at=NOW, version=2)
    closed = replace(
        ended, state=SettlementState.COUNTERSIGNED, countersignature=SIGNED, countersigned_at=NOW, version=3
    )
    async with storage.write() as transaction:
        await transaction.settlements.update(ended)
        assert await transaction.settlements.list_ended(EVERYTHING, SERVING, HOME) == {PERIOD}
        assert not await transaction.settlements.list_countersigned(EVERYTHING)
        await transaction.settlements.update(closed)
    async with storage.read() as view:
        assert await view.settlements.find(EVERYTHING, KEY) == closed
        assert [each.author for each in await view.settlements.list_period(EVERYTHING, PERIOD)] == [HOME, SERVING]
        assert [each.period for each in await view.settlements.list_open(EVERYTHING, SERVING)] == ["2026-11-22"]
        assert await view.settlements.list_countersigned(EVERYTHING) == [KEY]
        for scope in OTHERS:
            assert await view.settlements.find(scope, KEY) is None
            assert not await view.settlements.list_period(scope, PERIOD)
            assert not await view.settlements.list_open(scope, SERVING)
            assert not await view.settlements.list_ended(scope, SERVING, HOME)
            assert not await view.settlements.list_countersigned(scope)
    with pytest.raises(VersionMismatch):
        async with storage.write() as transaction:
            await transaction.settlements.update(ended)


def create_told(number: int, hour: str, region: str = "CN-SX") -> ToldTotal:
    line = TotalLine("smol", "cpu", 2, {TokenClass.OUTPUT: 5})
    total = HourlyTotal(name_id(82, number), SERVING, hour, region, 1, 2, "ab" * 32, (line,))
    body = write_total(total)[:-1] + b',"colour":"green"}'
    return ToldTotal(total, HOME, body, hash_leaf(body), NOW)


async def test_totals_are_kept_as_they_were_told_one_an_hour_and_region(storage: Database) -> None:
    first, second, other = (
        create_told(2, f"{PERIOD}T08"),
        create_told(1, f"{PERIOD}T09"),
        create_told(3, "2026-11-24T00"),
    )
    async with storage.write() as transaction:
        assert [await transaction.totals.insert(each) for each in (first, second, other)] == [True] * 3
        assert not await transaction.totals.insert(create_told(4, f"{PERIOD}T08"))
        assert await transaction.totals.insert(create_told(5, "2026-11-22T08", "CN-SH"))
    async with storage.read() as view:
        assert list(await view.totals.list_key(EVERYTHING, KEY)) == [second, first]
        assert list(await view.totals.list_by_ids(EVERYTHING, [first.total.id])) == [first]
        assert await view.totals.find_last_hour(EVERYTHING, SERVING, HOME) == "2026-11-24T00"
        assert await view.totals.find_last_hour(EVERYTHING, HOME, SERVING) is None
        for scope in OTHERS:
            assert await view.totals.find_last_hour(scope, SERVING, HOME) is None
            assert not await view.totals.list_key(scope, KEY)
            assert not await view.totals.list_by_ids(scope, [first.total.id])


async def test_a_dispute_between_platforms_is_kept_once(storage: Database) -> None:
    record_id: UUID = name_record_id(1)
    dispute = PlatformDispute(record_id, HOME, HOME, SERVING, PERIOD, ("a", "b"), "CNY", 10**30, NOW)
    async with storage.write() as transaction:
        await transaction.platform_disputes.put(dispute)
        await transaction.platform_disputes.put(replace(dispute, codes=()))
    async with storage.read() as view:
        assert (await view.platform_disputes.list(EVERYTHING, PageRequest())).items == (dispute,)
        assert not (await view.platform_disputes.list(OTHERS[1], PageRequest())).items
