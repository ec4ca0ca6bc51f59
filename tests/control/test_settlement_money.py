"""Money over real links: what one town serves another's customer is posted at both ends once, whatever the link and disks did."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keisan.domain.account import AccountKind
from tests.control.money_world import FILLED_NANO, MovedClock, Trade, open_shop, open_trade, price_call
from tests.control.town import Country


@pytest.fixture
async def country(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Country]:
    made = Country(tmp_path, migrated_file, MovedClock())
    yield made
    await made.end()


@pytest.fixture
async def trade(country: Country) -> Trade:
    """A nation with a customer, and its province that serves."""
    nation, province = [await country.found(name) for name in ("cn", "sx")]
    await country.join(province, nation)
    home, serving = await open_shop(nation, 2), await open_shop(province)
    country.connect(province)
    return await open_trade(country, home, serving)


async def test_a_call_is_paid_once_at_both_ends(trade: Trade) -> None:
    for _ in range(3):
        trade.write_call()
    await trade.hand_in()
    # Both gateways lose the answer, and hand in all of it again.
    await trade.hand_in()
    await trade.settle(posted=3)
    await trade.check_equal()
    balances = await trade.home.sum_balances()
    assert balances[AccountKind.PLATFORM_PAYABLE] == 3 * price_call(trade.serving)
    assert balances[AccountKind.WALLET] == FILLED_NANO - 3 * price_call(trade.home)
