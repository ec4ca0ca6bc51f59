"""Settlement over real links of three disks: two provinces settle through their nation, which sees letters and applies none."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from keisan.control.link_place import load_neighbourhood
from keisan.control.reconcilers.settlement import SettlementReconciler
from keisan.control.settlement import find_cross_receipt
from keisan.domain.access import PlatformScope
from keisan.domain.cross_record import RecordEnd, name_settlement
from keisan.domain.ids import PlatformId
from keisan.domain.link_log import LinkLog
from keisan.domain.settlement import SETTLEMENT_ID, Settlement, SettlementKey, SettlementState
from keisan.ledger.cross_record import keep_own_record
from keisan.wire.cross_receipt import show_cross_receipt, verify_cross_receipt
from tests.control.settlement_world import plant_terms
from tests.control.town import Country, Town
from tests.deadline import let_time_pass_async
from tests.domain.samples import create_record_id
from tests.federation.cross_samples import create_usage

EVERYTHING = PlatformScope()
TRIES = 1_500


@pytest.fixture
async def country(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Country]:
    made = Country(tmp_path, migrated_file)
    yield made
    await made.end()


async def work(town: Town) -> None:
    """Do one run of settlement's work, as the lease loop would."""
    reconciler = SettlementReconciler(town.control)
    async with town.storage.read() as view:
        state = await reconciler.load(view, SETTLEMENT_ID)
    change = await reconciler.perform(reconciler.decide(state, town.control.clock.now()))
    async with town.storage.write() as transaction:
        await reconciler.apply(transaction, change, town.control.clock.now())


async def wait_closed(town: Town, author: PlatformId, audience: PlatformId, period: str) -> Settlement:
    found = None
    for _ in range(TRIES):
        async with town.storage.read() as view:
            found = await view.settlements.find(EVERYTHING, SettlementKey(author, audience, period))
        if found is not None and found.state is SettlementState.COUNTERSIGNED:
            return found
        await let_time_pass_async(0.02)
    raise AssertionError(f"{town.name} has {found}; refused {await town.list_refused()}")


async def wait_kept(town: Town, count: int) -> None:
    """Wait until the log to a province's parent keeps so many letters."""
    found = await count_kept(town)
    for _ in range(TRIES):
        if found >= count:
            return
        await let_time_pass_async(0.02)
        found = await count_kept(town)
    raise AssertionError(f"{town.name} keeps {found} letters")


async def count_kept(town: Town) -> int:
    """Return how many letters the log to a province's parent keeps."""
    async with town.storage.read() as view:
        (link,) = (await load_neighbourhood(view)).links
        return len(await view.outgoing_logs.read(EVERYTHING, link.id, LinkLog.LEDGER, 0, 10**6))


async def test_two_provinces_settle_through_their_nation_and_drop_what_is_settled(country: Country) -> None:
    nation, shanxi, shanghai = [await country.found(name) for name in ("cn", "sx", "sh")]
    for province, other in ((shanxi, shanghai), (shanghai, shanxi)):
        await country.join(province, nation)
        await plant_terms(province.storage, province.id, other.id)
        country.connect(province)
    admitted_at = datetime.now(UTC) - timedelta(days=2)
    record_id = create_record_id(admitted_at)
    usages = [
        create_usage(end, record_id=record_id, home_id=shanghai.id, serving_id=shanxi.id)
        for end in (RecordEnd.HOME, RecordEnd.SERVING)
    ]
    for town, usage in zip((shanghai, shanxi), usages, strict=True):
        async with town.storage.write() as transaction:
            await keep_own_record(transaction, usage, town.control.clock.now())
    period = name_settlement(usages[0].admitted_at_ms)
    # The first run tells what waits, the second ends the day, which is over: each in its transaction. In between each signs
    # what the other told.
    for kept in (2, 3):
        for town in (shanghai, shanxi):
            await work(town)
        for town in (shanghai, shanxi):
            await wait_kept(town, kept)
    for town in (shanghai, shanxi):
        for author, audience in ((shanxi.id, shanghai.id), (shanghai.id, shanxi.id)):
            await wait_closed(town, author, audience, period)
        async with town.storage.read() as view:
            receipt = show_cross_receipt(await find_cross_receipt(view, EVERYTHING, record_id))
        assert verify_cross_receipt(receipt, shanghai.id)[0].amount_nano == create_usage().amount_nano
        assert await town.list_refused() == []
    async with nation.storage.read() as view:
        assert not await view.cross_records.list_ends(EVERYTHING, [record_id])
        assert not await view.settlements.list_period(EVERYTHING, period)
    before = await count_kept(shanghai)
    await work(shanghai)
    # Its batch came first; after it is a signature, which belongs to no day and is kept for its time.
    assert await count_kept(shanghai) == before - 1
