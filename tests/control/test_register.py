"""Registers that come: kept if somebody vouches for their author, refused if their signature does not hold, regained if they are own."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from keisan.control import letter_handler
from keisan.control.context import Control
from keisan.control.letter import build_draft
from keisan.control.link_place import find_known_way, load_neighbourhood
from keisan.control.register import MergeOutcome, follow_moves, merge_registers
from keisan.domain.access import PlatformScope
from keisan.domain.errors import InvalidInput
from keisan.domain.ids import PlatformId
from keisan.domain.letter import Arrival, Letter, LetterKind
from keisan.domain.register import RegisterKey, mark_register
from keisan.storage.base import Transaction
from keisan.wire.letter import sign_letter
from keisan.wire.name import PLATFORM_REGISTER
from tests.control.town import Country, Town


@pytest.fixture
async def country(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Country]:
    made = Country(tmp_path, migrated_file)
    yield made
    await made.end()


@pytest.fixture
async def towns(country: Country) -> tuple[Town, Town]:
    nation, shanxi = [await country.found(name) for name in ("cn", "sx")]
    await country.join(shanxi, nation)
    return nation, shanxi


async def merge(town: Town, neighbour: Town, *letters: Letter) -> MergeOutcome:
    async with town.storage.write() as transaction:
        link = (await transaction.links.list_neighbour(PlatformScope(), neighbour.id))[0]
        arrival = Arrival(link.id, neighbour.id, town.control.clock.now())
        return await merge_registers(transaction, town.control, arrival, letters)


async def test_the_newest_is_kept_and_told(towns: tuple[Town, Town]) -> None:
    nation, shanxi = towns
    first, second = [await shanxi.put(LetterKind.OFFER, "m", body) for body in (b"1", b"2")]
    outcome = await merge(nation, shanxi, second, first)
    assert {line.mark for line in outcome.lines} == {mark_register(second)}
    assert await nation.find(shanxi, LetterKind.OFFER, "m") == b"2"


async def test_of_whom_nobody_vouches_for_nothing_is_kept_and_it_may_come_again(
    country: Country, towns: tuple[Town, Town]
) -> None:
    nation, shanxi = towns
    stranger = await country.found("xx")
    letter = await stranger.put(LetterKind.OFFER, "m", b"1")
    outcome = await merge(nation, shanxi, letter)
    assert (outcome.lines, outcome.unknown) == ([], [letter])
    assert await nation.list_refused() == []


@pytest.mark.parametrize(
    ("kind", "is_from_above", "is_taken"),
    [
        (LetterKind.PRICE, True, True),
        (LetterKind.PRICE, False, False),
        (LetterKind.ROLL_UP, True, False),
        (LetterKind.ROLL_UP, False, True),
        (LetterKind.OFFER, True, True),
        (LetterKind.OFFER, False, True),
    ],
)
async def test_what_goes_one_way_is_not_taken_from_the_other(
    towns: tuple[Town, Town], kind: LetterKind, *, is_from_above: bool, is_taken: bool
) -> None:
    """A child that has moved gives its new parent what it had of the old one; a parent that lies, another's roll-up."""
    nation, shanxi = towns
    author, holder = (nation, shanxi) if is_from_above else (shanxi, nation)
    outcome = await merge(holder, author, letter := await author.put(kind, "m", b"1"))
    assert (await holder.find(author, kind, "m") == b"1") == is_taken
    assert outcome.unknown == ([] if is_taken else [letter])


async def test_a_forged_register_is_refused_and_kept_apart(towns: tuple[Town, Town]) -> None:
    nation, shanxi = towns
    letter = replace(await shanxi.put(LetterKind.OFFER, "m", b"1"), signature=bytes(64))
    assert (await merge(nation, shanxi, letter)).lines == []
    assert await nation.find(shanxi, LetterKind.OFFER, "m") is None
    assert [code for code, _ in await nation.list_refused()] == ["invalid_input"]


async def test_one_s_own_word_comes_back_and_who_forgot_it_hears(
    towns: tuple[Town, Town], monkeypatch: pytest.MonkeyPatch
) -> None:
    nation, shanxi = towns
    heard: list[str] = []

    async def regain(_: Transaction, __: Control, ___: Arrival, letter: Letter) -> None:
        heard.append(letter.name)

    monkeypatch.setitem(cast("dict[str, object]", letter_handler.REGAIN_HANDLERS), LetterKind.OFFER, regain)
    old = await shanxi.put(LetterKind.OFFER, "m", b"1")
    # As another disk of this town signed it, which is lost.
    lost = sign_letter(
        replace(build_draft(shanxi.control, LetterKind.OFFER, b"2"), name="m", version=2),
        shanxi.id,
        shanxi.control.get_identity().signer,
    )
    await merge(shanxi, nation, old)
    assert heard == []
    await merge(shanxi, nation, lost)
    assert heard == ["m"]
    async with shanxi.storage.read() as view:
        own = await view.registers.list_lines(PlatformScope(), None)
    assert mark_register(lost) in {line.mark for line in own}


async def test_a_platform_that_has_moved_is_reached_by_its_new_parent(
    country: Country, towns: tuple[Town, Town]
) -> None:
    """Its own word on that came while it was still thought to be where it was."""
    nation, shanxi = towns
    beijing, taiyuan = await country.found("bj"), await country.found("sx.ty")
    await country.join(beijing, nation)
    await country.join(taiyuan, shanxi)
    # Neither follows by itself what it hears.
    for town in (nation, taiyuan):
        await country.still(town)
    await merge(nation, shanxi, await read_letter(shanxi, LetterKind.NAME, "sx.ty"))
    await merge(nation, shanxi, await read_letter(taiyuan, LetterKind.PLATFORM, PLATFORM_REGISTER))
    assert await find_way(nation, taiyuan) == shanxi.id
    taiyuan.name = "bj.ty"
    await country.join(taiyuan, beijing)
    await merge(nation, beijing, await read_letter(taiyuan, LetterKind.PLATFORM, PLATFORM_REGISTER))
    await merge(nation, beijing, await read_letter(beijing, LetterKind.NAME, "bj.ty"))
    assert await find_way(nation, taiyuan) == shanxi.id
    for _ in range(2):
        async with nation.storage.write() as transaction:
            await follow_moves(transaction, nation.control)
        assert await find_way(nation, taiyuan) == beijing.id


async def read_letter(author: Town, kind: LetterKind, name: str) -> Letter:
    async with author.storage.read() as view:
        found = await view.registers.find(PlatformScope(), RegisterKey(author.id, kind, name))
    assert found is not None
    return found


async def find_way(town: Town, other: Town) -> PlatformId | None:
    """Return the neighbour by which a town reaches another."""
    async with town.storage.read() as view:
        link = await find_known_way(view, await load_neighbourhood(view), other.id)
    return None if link is None else link.neighbour_id


async def test_what_a_handler_refuses_is_kept_all_the_same(
    towns: tuple[Town, Town], monkeypatch: pytest.MonkeyPatch
) -> None:
    nation, shanxi = towns

    async def refuse(_: Transaction, __: Control, ___: Arrival, ____: Letter) -> None:
        raise InvalidInput("not an offer", "body")

    monkeypatch.setitem(cast("dict[str, object]", letter_handler.REGISTER_HANDLERS), LetterKind.OFFER, refuse)
    await merge(nation, shanxi, await shanxi.put(LetterKind.OFFER, "m", b"1"))
    assert await nation.find(shanxi, LetterKind.OFFER, "m") == b"1"
    assert await nation.list_refused() == [("invalid_input", "not an offer")]


async def test_who_gives_back_a_register_is_not_the_way_to_its_author(
    country: Country, towns: tuple[Town, Town]
) -> None:
    """Shanxi was restored from before it had heard the nation's price; its child has it still, and gives it back."""
    nation, shanxi = towns
    taiyuan = await country.found("sx.ty")
    await country.join(taiyuan, shanxi)
    price = await nation.put(LetterKind.PRICE, "m", b"1")
    await merge(shanxi, taiyuan, price)
    async with shanxi.storage.read() as view:
        source = await view.registers.find_source(PlatformScope(), nation.id)
        (link,) = await view.links.list_neighbour(PlatformScope(), nation.id)
    assert source is not None
    assert source.link_id == link.id
