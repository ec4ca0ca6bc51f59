"""Prices through the client: exact amounts, next version."""

from keisan.domain.price import TokenClass
from keisan.sdk import AsyncKeisan, PriceCreate
from tests.api.stage import Stage


async def test_next_version(stage: Stage, admin: AsyncKeisan) -> None:
    nano = {TokenClass.INPUT: 10**17 + 1, TokenClass.OUTPUT: 3}
    body = PriceCreate(model_id=stage.ids["model"], currency="CNY", nano_per_million=nano)
    created = await admin.prices.create(body)
    assert (created.version, created.nano_per_million) == (2, nano)
    assert await admin.prices.get(created.id) == created
    assert [line.version async for line in admin.prices.list()] == [1, 2]
