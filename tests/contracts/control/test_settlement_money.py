"""Money between provinces on both databases: batches come while gateways hand in, and both books are equal at the end."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keisan.storage.database import Database
from tests.control.money_world import MovedClock, Trade, open_shop, open_trade
from tests.control.town import Country

CALLS, HANDS = 24, 4


@pytest.fixture
async def country(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Country]:
    made = Country(tmp_path, migrated_file, MovedClock())
    yield made
    # The last town's disk is the test's own, which closes it.
    for town in made.towns[:-1]:
        await made.shut(town)


async def open_provinces(country: Country, storage: Database) -> Trade:
    """Two provinces of one nation; the customers' home is on the storage that a test is run on."""
    nation, province = [await country.found(name) for name in ("cn", "sx")]
    own = await country.found("sh", storage=storage)
    for each in (province, own):
        await country.join(each, nation)
    home, serving = await open_shop(own, 2), await open_shop(province)
    for each in (province, own):
        country.connect(each)
    return await open_trade(country, home, serving)


async def test_what_comes_while_gateways_hand_in_is_paid_once(country: Country, storage: Database) -> None:
    trade = await open_provinces(country, storage)
    for _ in range(CALLS):
        trade.write_call()
    record_ids = list(trade.lines)
    async with asyncio.TaskGroup() as group:
        for first in range(HANDS):
            group.create_task(trade.hand_in(*record_ids[first::HANDS]))
        group.create_task(trade.settle(posted=CALLS))
    await trade.hand_in()
    await trade.settle(posted=CALLS)
    await trade.check_equal()
    await country.shut(trade.home.town)
