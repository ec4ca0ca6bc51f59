"""Settlement's work in the lease loop: records, hours and periods are told in their time."""

from datetime import timedelta

import pytest

from keisan.domain.settlement import SettlementKey, SettlementState
from tests.control.settlement_world import (
    EVERYTHING,
    Party,
    Post,
    assert_closed,
    call,
    plant_local_calls,
    run_reconciler,
)
from tests.factories import FixedClock
from tests.federation.cross_samples import PERIOD, create_usage

NANO = create_usage().amount_nano


async def test_own_records_are_told_and_periods_ended_by_the_lease_loop(
    monkeypatch: pytest.MonkeyPatch, home: Party, serving: Party, post: Post, clock: FixedClock
) -> None:
    await call(home, serving, 3)
    await plant_local_calls(serving, 4)
    for party, parent in ((home, None), (serving, home)):
        await run_reconciler(monkeypatch, party, parent)
    await post.deliver()
    async with home.storage.read() as view:
        assert len(await view.cross_records.list_marks(EVERYTHING, SettlementKey(serving.id, home.id, PERIOD))) == 3
        assert len(await view.totals.list_key(EVERYTHING, SettlementKey(serving.id, home.id, PERIOD))) == 1
    open_ = await home.find(home, serving, PERIOD)
    assert open_ is not None
    assert open_.state is SettlementState.OPEN
    clock.instant += timedelta(hours=16, minutes=5)
    for _ in range(2):
        for party, parent in ((home, None), (serving, home)):
            await run_reconciler(monkeypatch, party, parent)
        await post.deliver(7, copies=2)
    await assert_closed(home, serving)
    async with home.storage.read() as view:
        (told,) = await view.totals.list_key(EVERYTHING, SettlementKey(serving.id, home.id, PERIOD))
        sums = await view.cross_records.sum(EVERYTHING, SettlementKey(serving.id, home.id, PERIOD))
    # What crossed was told one by one, and is in no total.
    assert (told.total.record_count, told.total.region, told.total.hour) == (4, "CN-SX", f"{PERIOD}T09")
    assert [each.record_count for each in sums] == [3]
