"""One connection: it ends with its channel, with the disk, or when somebody says so, and the next one begins where the disk is."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keisan.control.link_loop import MESSAGES_WAITING_MAX, LinkLoop, LinkNews
from keisan.control.link_session import LinkSession
from keisan.domain.access import PlatformScope
from keisan.domain.errors import NeighbourUnreachable, StorageUnavailable
from keisan.domain.link import Link
from keisan.domain.link_log import LinkLog
from tests.control.town import Country, Pipe, Town, lay_pipe
from tests.deadline import wait_until_async


@pytest.fixture
async def country(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Country]:
    made = Country(tmp_path, migrated_file)
    yield made
    await made.end()


async def build_loop(country: Country) -> tuple[Town, LinkLoop, Pipe]:
    nation, shanxi = [await country.found(name) for name in ("cn", "sx")]
    await country.join(shanxi, nation)
    below, above = lay_pipe()
    return shanxi, LinkLoop(shanxi.control, await find_link(shanxi), below, "test"), above


async def find_link(town: Town) -> Link:
    assert town.parent is not None
    async with town.storage.read() as view:
        return (await view.links.list_neighbour(PlatformScope(), town.parent.id))[0]


async def test_it_ends_with_its_channel(country: Country) -> None:
    _, loop, above = await build_loop(country)
    running = asyncio.ensure_future(loop.run({}))
    assert await above.receive()
    above.cut()
    assert (await running).code == "lost"


async def test_it_ends_when_somebody_says_so_and_the_neighbour_hears_why(country: Country) -> None:
    _, loop, above = await build_loop(country)
    running = asyncio.ensure_future(loop.run({}))
    assert await above.receive()
    loop.end("over", "the link is over")
    loop.end("over", "said once")
    assert (await running).code == "over"
    assert b"over" in await above.receive()
    assert not loop.is_met


async def test_one_that_is_ended_before_it_began_says_nothing(country: Country) -> None:
    _, loop, above = await build_loop(country)
    loop.end("replaced", "another connection has taken its place")
    assert (await loop.run({})).code == "replaced"
    with pytest.raises(NeighbourUnreachable):
        await above.receive()


async def test_what_breaks_the_protocol_ends_it(country: Country) -> None:
    _, loop, above = await build_loop(country)
    running = asyncio.ensure_future(loop.run({}))
    await above.send(b"\xff")
    assert (await running).code == "invalid_input"


async def test_a_disk_that_fails_ends_it_and_nothing_is_acknowledged(
    country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    nation, shanxi = [await country.found(name) for name in ("cn", "sx")]
    await country.join(shanxi, nation)
    await shanxi.send(nation, "1")

    def fail() -> None:
        raise StorageUnavailable("no disk")

    monkeypatch.setattr(nation.storage, "write", fail)
    country.connect(shanxi)
    pipe = country.pipes["sx", "cn"]
    await wait_until_async(lambda: pipe.other is None, "the connection is ended", 30)
    link = await find_link_of(nation, shanxi)
    async with nation.storage.read() as view:
        assert await view.incoming_logs.read(PlatformScope(), link.id, LinkLog.LEDGER, None, 9) == []


async def test_what_nobody_thought_of_ends_one_connection_and_not_the_process(
    country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    nation, shanxi = [await country.found(name) for name in ("cn", "sx")]
    await country.join(shanxi, nation)

    async def fail(*_: object) -> None:
        raise OverflowError("date value out of range")

    monkeypatch.setattr(LinkSession, "_apply_items", fail)
    await shanxi.send(nation, "1")
    country.connect(shanxi)
    pipe = country.pipes["sx", "cn"]
    await wait_until_async(lambda: pipe.other is None, "the connection is ended", 30)

    def is_counted() -> bool:
        return nation.control.link_board.list_closed(shanxi.id) == {"internal": 1}

    await wait_until_async(is_counted, "the end is counted", 30)
    assert country.list_arrived(nation) == []


async def find_link_of(town: Town, neighbour: Town) -> Link:
    async with town.storage.read() as view:
        return (await view.links.list_neighbour(PlatformScope(), neighbour.id))[0]


async def test_news_that_find_no_room_are_told_again(country: Country) -> None:
    _, loop, _ = await build_loop(country)
    news = LinkNews({}, (), 0, {}, is_book_changed=False)
    assert all(loop.note(news) for _ in range(MESSAGES_WAITING_MAX))
    assert not loop.note(news)
