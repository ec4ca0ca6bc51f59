"""Settlements with other platforms through the client."""

import pytest

from keisan.domain.errors import NotFound
from keisan.domain.settlement import SettlementState
from keisan.sdk import AsyncKeisan, Keisan, PositionQuery
from tests.api.cross_rows import HOME, PERIOD
from tests.api.stage import Stage


async def test_a_settlement_is_read_with_its_sums(stage: Stage, admin: AsyncKeisan) -> None:
    (line,) = [line async for line in admin.settlements.list()]
    assert (line.author, line.audience, line.period) == (stage.control.platform_id, HOME, PERIOD)
    detail = await admin.settlements.get(line.id)
    assert (detail.id, [each.amount_nano for each in detail.sums]) == (line.id, [110])
    (position,) = (await admin.settlements.list_positions(PositionQuery(period=PERIOD))).positions
    assert (position.creditor, position.debtor, position.amount_nano) == (stage.control.platform_id, HOME, 110)
    assert [line async for line in admin.settlements.list_disputes()] == []


async def test_a_receipt_is_fetched(stage: Stage, admin: AsyncKeisan) -> None:
    receipt = await admin.settlements.get_receipt(stage.ids["record"])
    assert str(stage.ids["record"]) in receipt.leaf
    with pytest.raises(NotFound):
        await admin.settlements.get_receipt(stage.ids["settlement"])


async def test_a_settlement_that_nobody_is_reached_for_is_ended_and_not_compared(
    stage: Stage, admin: AsyncKeisan
) -> None:
    ended = await admin.settlements.end(stage.ids["settlement"])
    assert (ended.state, ended.record_count) == (SettlementState.ENDED, 1)
    with pytest.raises(NotFound):
        await admin.settlements.compare(ended.id)


def test_blocking_twin_lists(keisan: Keisan) -> None:
    (line,) = keisan.settlements.list()
    assert keisan.settlements.get(line.id).period == PERIOD
