"""Where letters go: to the neighbour, down towards who is known to be below, else up; and never back."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from keisan.control.key_book import load_key_book
from keisan.control.link_place import (
    find_author_link,
    find_way,
    find_ways,
    is_offered,
    list_held,
    load_neighbourhood,
)
from keisan.domain.access import PlatformScope
from keisan.domain.ids import LinkId, PlatformId
from keisan.domain.letter import LetterKind
from keisan.domain.link import Link, LinkSide, LinkState
from keisan.domain.register import RegisterKey, RegisterLine, RegisterMark, RegisterPlace
from keisan.kit.ids import create_id
from tests.control.town import Country, Town, build_link


@pytest.fixture
async def country(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Country]:
    made = Country(tmp_path, migrated_file)
    yield made
    await made.end()


def place(kind: str, source: LinkId | None = None, audience: PlatformId | None = None) -> RegisterPlace:
    line = RegisterLine(RegisterKey(PlatformId("a"), kind, "n"), RegisterMark(1, b"d"))
    return RegisterPlace(line, source, audience, 1)


async def draw_links(country: Country) -> tuple[Town, Link, Link]:
    """A town between a parent and a child."""
    above, middle, below = [await country.found(name) for name in ("cn", "sx", "sx.ty")]
    up = build_link(middle, above, LinkSide.PARENT, "sx")
    down = build_link(middle, below, LinkSide.CHILD, "sx.ty")
    return middle, up, down


@pytest.mark.parametrize(
    ("kind", "is_up", "is_down"),
    [
        (LetterKind.NAME, True, True),
        (LetterKind.OFFER, True, True),
        (LetterKind.ROLL_UP, True, False),
        (LetterKind.PRICE, False, True),
        (LetterKind.USAGE, False, False),
        ("diary", False, False),
    ],
)
async def test_a_register_goes_as_far_as_its_kind(
    country: Country, kind: str, is_up: bool, is_down: bool
) -> None:  # expectations
    _, up, down = await draw_links(country)
    assert is_offered(place(kind), up, None) is is_up
    assert is_offered(place(kind), down, None) is is_down
    assert is_offered(place(kind, source=down.id), up, None) is is_up
    assert not is_offered(place(kind, source=up.id), up, None)
    assert not is_offered(place(kind, source=down.id), down, None)


async def test_a_register_for_one_platform_goes_towards_it_alone(country: Country) -> None:
    _, up, down = await draw_links(country)
    credit = place(LetterKind.CREDIT, audience=PlatformId("b"))
    assert is_offered(credit, up, up.id)
    assert not is_offered(credit, down, up.id)
    assert not is_offered(credit, up, None)
    assert list_held([credit, place(LetterKind.NAME, source=up.id)], up) == [place(LetterKind.NAME, source=up.id)]


async def test_the_way_is_the_neighbour_or_who_is_above_it(country: Country) -> None:
    nation, shanxi, taiyuan = [await country.found(name) for name in ("cn", "sx", "sx.ty")]
    await country.join(shanxi, nation)
    await country.join(taiyuan, shanxi)
    stranger = PlatformId("f" * 64)
    async with shanxi.storage.read() as view:
        around = await load_neighbourhood(view)
        ways = [await find_way(view, around, each) for each in (nation.id, taiyuan.id, stranger)]
    assert [way.neighbour_id for way in ways if way] == [nation.id, taiyuan.id, nation.id]
    assert around.find(around.links[0].id) == around.links[0]
    assert around.find(LinkId(create_id())) is None
    async with nation.storage.read() as view:
        around = await load_neighbourhood(view)
        assert around.parent is None
        assert await find_way(view, around, stranger) is None


async def test_a_register_waits_until_it_is_known_where_its_audience_is(country: Country) -> None:
    """A letter may go up to who knows more; a register would stay there, with somebody whom it is not for."""
    nation, shanxi, taiyuan = [await country.found(name) for name in ("cn", "sx", "sx.ty")]
    await country.join(shanxi, nation)
    waiting = [place(LetterKind.CREDIT, audience=taiyuan.id)]
    async with shanxi.storage.write() as transaction:
        around = await load_neighbourhood(transaction)
        assert await find_way(transaction, around, taiyuan.id) == around.parent
        assert await find_ways(transaction, around, waiting) == {taiyuan.id: None}
        assert around.parent is not None
        await transaction.registers.put(await taiyuan.put(LetterKind.OFFER, "m", b"1"), around.parent.id)
        assert await find_ways(transaction, around, waiting) == {taiyuan.id: around.parent.id}


async def test_registers_come_from_the_side_on_which_their_author_is(country: Country) -> None:
    nation, shanxi, taiyuan = [await country.found(name) for name in ("cn", "sx", "sx.ty")]
    await country.join(shanxi, nation)
    await country.join(taiyuan, shanxi)
    async with shanxi.storage.read() as view:
        around, book = await load_neighbourhood(view), await load_key_book(view, shanxi.control)
    ways = [find_author_link(around, book, each) for each in (nation.id, taiyuan.id)]
    assert [way.neighbour_id for way in ways if way] == [nation.id, taiyuan.id]


async def test_nobody_knows_where_one_is_that_has_left_until_another_vouches_for_it(country: Country) -> None:
    """It is known by its ended link alone: to say that it is above would send what is for it there, and back."""
    nation, shanxi, taiyuan = [await country.found(name) for name in ("cn", "sx", "sx.ty")]
    await country.join(shanxi, nation)
    await country.join(taiyuan, shanxi)
    async with shanxi.storage.write() as transaction:
        link = (await transaction.links.list_neighbour(PlatformScope(), taiyuan.id))[0]
        await transaction.links.update(replace(link, state=LinkState.LEFT, version=link.version + 1))
        around, book = await load_neighbourhood(transaction), await load_key_book(transaction, shanxi.control)
    assert book.find(taiyuan.id) is not None
    assert find_author_link(around, book, taiyuan.id) is None
