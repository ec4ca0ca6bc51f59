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


@pytest.mark.parametrize("action", ["end", "compare"])
async def test_a_settlement_with_whom_no_link_leads_to_stays(stage: Stage, admin: AsyncKeisan, action: str) -> None:
    with pytest.raises(NotFound, match="no link"):
        await getattr(admin.settlements, action)(stage.ids["settlement"])
    assert (await admin.settlements.get(stage.ids["settlement"])).state is SettlementState.OPEN


def test_blocking_twin_lists(keisan: Keisan) -> None:
    (line,) = keisan.settlements.list()
    assert keisan.settlements.get(line.id).period == PERIOD
