"""Questions to neighbours: answered over the link that is there, and never waited for when it is not."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from keisan.domain.access import PlatformScope
from keisan.domain.errors import Failed, NeighbourUnreachable
from keisan.domain.link_log import LinkLog
from keisan.kit.ids import create_id
from keisan.wire.link_check import CHECK_SUBJECT
from tests.control.town import Country, Town
from tests.deadline import wait_until_async

WAIT_S = 30.0


@pytest.fixture
async def country(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Country]:
    made = Country(tmp_path, migrated_file)
    yield made
    await made.end()


async def found_pair(country: Country) -> tuple[Town, Town]:
    nation, shanxi = [await country.found(name) for name in ("cn", "sx")]
    await country.join(shanxi, nation)
    country.connect(shanxi)
    await wait_until_async(lambda: bool(nation.hub.open_ids and shanxi.hub.open_ids), "the link is there", 30)
    return nation, shanxi


async def test_what_a_neighbour_refuses_and_one_that_is_not_there_are_told_apart(country: Country) -> None:
    nation, shanxi = await found_pair(country)
    with pytest.raises(Failed, match="not_found"):
        await nation.control.link_board.ask(shanxi.id, "secrets", b"", wait_s=WAIT_S)
    with pytest.raises(NeighbourUnreachable):
        await nation.control.link_board.ask(nation.id, CHECK_SUBJECT, b"", wait_s=WAIT_S)


async def test_a_connection_that_was_replaced_takes_nothing_with_it(country: Country) -> None:
    nation, shanxi = await found_pair(country)
    country.connect(shanxi)
    await wait_until_async(lambda: country.pipes["sx", "cn"].other is not None, "the other is there", 30)
    for _ in range(100):
        try:
            with pytest.raises(Failed, match="not_found"):
                await nation.control.link_board.ask(shanxi.id, "secrets", b"", wait_s=WAIT_S)
            return
        except NeighbourUnreachable:
            await nation.control.clock.sleep(0.05)
    raise AssertionError("the neighbour is not asked any more")


async def test_whoever_waits_for_an_answer_is_told_that_the_link_was_cut(country: Country) -> None:
    nation, shanxi = await found_pair(country)
    pipe = country.pipes["sx", "cn"].other
    assert pipe is not None
    pipe.is_leaking = True
    with pytest.raises(NeighbourUnreachable, match="did not answer"):
        await nation.control.link_board.ask(shanxi.id, CHECK_SUBJECT, b"", wait_s=0.3)
    before = len(pipe.lost)
    task = asyncio.ensure_future(nation.control.link_board.ask(shanxi.id, CHECK_SUBJECT, b"", wait_s=WAIT_S))
    await wait_until_async(lambda: len(pipe.lost) > before, "something was sent", 10)
    country.cut(shanxi)
    with pytest.raises(NeighbourUnreachable, match="ended"):
        await task


async def test_it_is_known_what_a_connected_neighbour_has_of_this_life_of_a_log(country: Country) -> None:
    nation, shanxi = await found_pair(country)
    board = shanxi.control.link_board
    await shanxi.send(nation, "1", "2")
    async with shanxi.storage.read() as view:
        (end,) = (await view.outgoing_logs.list_ends(PlatformScope())).values()

    def find(incarnation: UUID = end.incarnation) -> int:
        return board.find_acknowledged(nation.id, LinkLog.LEDGER, incarnation)

    await wait_until_async(lambda: find() == end.sequence == 2, "both letters are acknowledged")
    assert find(create_id()) == 0
    assert board.find_acknowledged(shanxi.id, LinkLog.LEDGER, end.incarnation) == 0
    country.cut(shanxi)
    await wait_until_async(lambda: find() == 0, "the connection is gone, and with it what it knew")
