"""Payouts through the client."""

from keisan.sdk import AsyncKeisan, PayoutCreate, PayoutOutcome
from tests.api.stage import Stage


async def test_payouts(stage: Stage, admin: AsyncKeisan) -> None:
    [payout] = [line async for line in admin.payouts.list()]
    assert await admin.payouts.get(stage.ids["payout"]) == payout
    answer = await admin.payouts.create(stage.ids["statement"])
    assert (answer.outcome, answer.payout) == (PayoutOutcome.EXISTS, payout)
    other = await admin.payouts.create(stage.ids["statement"], PayoutCreate(amount_nano=1))
    assert other.outcome is PayoutOutcome.EXISTS_WITH_DIFFERENT_AMOUNT
