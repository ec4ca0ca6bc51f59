"""Hourly totals that come: taken from their author alone, for its own region."""

from dataclasses import replace

from keisan.control.settlement_total import draft_total, tell_total
from keisan.domain.settlement import HourlyTotal, SettlementKey, TotalLine
from keisan.kit.ids import create_id
from tests.control.settlement_world import (
    EVERYTHING,
    Party,
    Post,
)
from tests.federation.cross_samples import PERIOD, create_usage

NANO = create_usage().amount_nano


async def test_a_total_of_another_s_region_or_word_is_refused(home: Party, serving: Party, post: Post) -> None:
    line = TotalLine("smol", "cpu", 1, {})
    total = HourlyTotal(create_id(), serving.id, f"{PERIOD}T09", "CN-BJ", 1, 1, "ab" * 32, (line,))
    for wrong in (total, replace(total, region="CN-SX", author=home.id)):
        told = tell_total(serving.control, wrong, home.id)
        async with serving.storage.write() as transaction:
            await post.send(transaction, serving.control, [draft_total(serving.control, told)])
    await post.deliver()
    assert [fault.code for fault in home.refused] == ["invalid_input", "invalid_input"]
    async with home.storage.read() as view:
        assert not await view.totals.list_key(EVERYTHING, SettlementKey(serving.id, home.id, PERIOD))
