"""Accounts through the client: exact amounts."""

from keisan.sdk import AsyncKeisan
from tests.api.stage import Stage


async def test_list_and_get(stage: Stage, admin: AsyncKeisan) -> None:
    accounts = [line async for line in admin.accounts.list()]
    assert sum(line.balance_nano for line in accounts) == 0
    assert (await admin.accounts.get(stage.ids["account"])).balance_nano == -30500
