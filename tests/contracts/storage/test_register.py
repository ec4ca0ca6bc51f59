"""Registers, on both databases and in memory: the newest of each key, by the link that it came by."""

import asyncio

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.ids import LinkId, OrganizationId, ProviderId
from keisan.domain.letter import Letter, LetterKind
from keisan.domain.register import RegisterKey, RegisterLine, RegisterSource, mark_register
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.contracts.storage.conftest import LinkStorage
from tests.factories import FixedClock
from tests.letters import EAST, NORTH, SOUTH, write_register

EVERYTHING = PlatformScope()
LINK, OTHER_LINK = (LinkId(create_id()) for _ in range(2))


async def put(links: LinkStorage, letter: Letter, source: LinkId | None = LINK) -> bool:
    async with links.write() as transaction:
        return await transaction.registers.put(letter, source)


async def find(links: LinkStorage, letter: Letter) -> Letter | None:
    async with links.read() as view:
        return await view.registers.find(EVERYTHING, name_key(letter))


async def find_source(links: LinkStorage, letter: Letter) -> RegisterSource | None:
    async with links.read() as view:
        return await view.registers.find_source(EVERYTHING, letter.author)


async def list_lines(links: LinkStorage, source: LinkId | None) -> list[RegisterLine]:
    async with links.read() as view:
        return list(await view.registers.list_lines(EVERYTHING, source))


def name_key(letter: Letter) -> RegisterKey:
    return RegisterKey(letter.author, letter.kind, letter.name)


def build_line(letter: Letter) -> RegisterLine:
    return RegisterLine(name_key(letter), mark_register(letter))


async def test_the_newest_of_a_key_wins_in_any_order(links: LinkStorage) -> None:
    one, two, three = (write_register(version=version) for version in (1, 2, 3))
    assert await put(links, two)
    assert not await put(links, two)
    assert not await put(links, one)
    assert await find(links, one) == two
    assert await put(links, three)
    assert await find(links, one) == three
    # Digits do not sort as texts do.
    assert await put(links, write_register(version=10))


async def test_two_contents_of_one_version_are_put_in_order(links: LinkStorage) -> None:
    lower, higher = sorted((write_register(body=body) for body in (b"one", b"two")), key=mark_register)
    assert await put(links, lower)
    assert await put(links, higher)
    assert not await put(links, lower)
    assert await find(links, lower) == higher


async def test_keys_are_apart(links: LinkStorage) -> None:
    letters = [write_register(NORTH), write_register(SOUTH), write_register(kind="price"), write_register(name="two")]
    assert [await put(links, each) for each in letters] == [True] * 4
    assert [await find(links, each) for each in letters] == letters


async def test_a_tombstone_is_kept_and_not_listed(links: LinkStorage) -> None:
    await put(links, write_register())
    gone = write_register(version=2, is_deleted=True)
    assert await put(links, gone)
    assert await find(links, gone) == gone
    assert await list_lines(links, LINK) == [build_line(gone)]
    async with links.read() as view:
        assert list(await view.registers.list_kind(EVERYTHING, gone.kind)) == []
    assert not await put(links, write_register())


async def test_a_kind_is_listed_in_order(links: LinkStorage) -> None:
    letters = [write_register(author, name=name) for author in (NORTH, SOUTH) for name in ("one", "two")]
    for each in reversed(letters):
        await put(links, each)
    await put(links, write_register(kind="price"))
    async with links.read() as view:
        assert list(await view.registers.list_kind(EVERYTHING, "offer")) == letters


async def test_what_is_kept_of_some_keys_is_told(links: LinkStorage) -> None:
    letters = [write_register(name=f"n{number:04}") for number in range(3)]
    for each in letters:
        await put(links, each)
    wanted = [name_key(each) for each in (letters[2], letters[0], letters[2], write_register(EAST))]
    # More keys than a statement takes at a time.
    wanted += [RegisterKey(EAST, "offer", f"none {number}") for number in range(1_500)]
    async with links.read() as view:
        assert list(await view.registers.list_letters(EVERYTHING, wanted)) == [letters[0], letters[2]]
        assert list(await view.registers.list_letters(EVERYTHING, [])) == []


async def test_lines_are_of_one_source(links: LinkStorage) -> None:
    own, by_link, by_other = write_register(NORTH), write_register(SOUTH), write_register(EAST)
    for letter, source in ((own, None), (by_link, LINK), (by_other, OTHER_LINK)):
        await put(links, letter, source)
    assert await list_lines(links, None) == [build_line(own)]
    assert await list_lines(links, LINK) == [build_line(by_link)]
    assert await list_lines(links, OTHER_LINK) == [build_line(by_other)]


async def test_an_authors_source_is_own_a_link_or_unknown(links: LinkStorage, clock: FixedClock) -> None:
    own, other = write_register(NORTH), write_register(SOUTH)
    assert await find_source(links, own) is None
    await put(links, own, None)
    await put(links, other, LINK)
    assert await find_source(links, own) == RegisterSource(None)
    assert await find_source(links, other) == RegisterSource(LINK)
    assert await find_source(links, write_register(EAST)) is None
    # It has moved: what it says since comes by another link.
    await clock.sleep(1)
    await put(links, write_register(SOUTH, name="two"), OTHER_LINK)
    assert await find_source(links, other) == RegisterSource(OTHER_LINK)


async def test_what_an_author_says_of_itself_shows_the_way_and_can_be_redirected(links: LinkStorage) -> None:
    own_word, later = write_register(kind=LetterKind.PLATFORM), write_register()
    await put(links, own_word, LINK)
    await put(links, later, OTHER_LINK)
    assert await find_source(links, later) == RegisterSource(LINK)
    async with links.read() as view:
        before = await view.registers.list_places(EVERYTHING, 0)
    async with links.write() as transaction:
        await transaction.registers.redirect(name_key(own_word), OTHER_LINK)
    assert await find_source(links, later) == RegisterSource(OTHER_LINK)
    assert await list_lines(links, LINK) == []
    # Nothing new has come: nobody is told of it.
    async with links.read() as view:
        after = await view.registers.list_places(EVERYTHING, 0)
    assert [(each.line, each.change) for each in after] == [(each.line, each.change) for each in before]


@pytest.mark.parametrize("source", [None, LINK])
async def test_a_register_that_is_told_back_keeps_its_source(links: LinkStorage, source: LinkId | None) -> None:
    letter = write_register()
    await put(links, letter, source)
    assert not await put(links, letter, OTHER_LINK)
    assert await find_source(links, letter) == RegisterSource(source)
    assert await list_lines(links, OTHER_LINK) == []


async def test_what_came_by_a_link_is_forgotten_with_it(links: LinkStorage) -> None:
    own, by_link, by_other = write_register(NORTH), write_register(SOUTH), write_register(EAST)
    for letter, source in ((own, None), (by_link, LINK), (by_other, OTHER_LINK)):
        await put(links, letter, source)
    async with links.write() as transaction:
        await transaction.registers.forget_source(LINK)
    assert [await find(links, each) for each in (own, by_link, by_other)] == [own, None, by_other]
    # It comes anew by another.
    assert await put(links, by_link, OTHER_LINK)


async def test_what_a_transaction_put_goes_with_it(links: LinkStorage) -> None:
    kept, lost = write_register(), write_register(version=2)
    await put(links, kept)

    async def fail() -> None:
        async with links.write() as transaction:
            assert await transaction.registers.put(lost, LINK)
            await transaction.registers.forget_source(LINK)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await find(links, kept) == kept
    assert await put(links, lost)


async def test_registers_are_the_platforms_own(links: LinkStorage) -> None:
    letter = write_register()
    await put(links, letter)
    async with links.read() as view:
        for scope in (OrganizationScope(OrganizationId(create_id())), ProviderScope(ProviderId(create_id()))):
            assert await view.registers.find(scope, name_key(letter)) is None
            assert await view.registers.find_source(scope, letter.author) is None
            assert list(await view.registers.list_lines(scope, LINK)) == []
            assert list(await view.registers.list_letters(scope, [name_key(letter)])) == []
            assert list(await view.registers.list_kind(scope, letter.kind)) == []


async def test_the_newest_wins_among_those_put_at_once(storage: Database) -> None:
    letters = [write_register(version=version) for version in range(1, 9)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(put(storage, each)) for each in letters]
    assert await find(storage, letters[0]) == letters[-1]
    assert tasks[-1].result()


async def test_places_are_told_in_the_order_of_changes_and_only_later_ones(links: LinkStorage) -> None:
    first, second = write_register(name="a"), write_register(name="b", audience=SOUTH)
    await put(links, first, None)
    await put(links, second)
    async with links.read() as view:
        places = await view.registers.list_places(EVERYTHING, 0)
        assert await view.registers.list_places(OrganizationScope(OrganizationId(create_id())), 0) == []
    told = [(place.line, place.source, place.audience) for place in places]
    assert told == [(build_line(first), None, None), (build_line(second), LINK, SOUTH)]
    assert not await put(links, second)
    again = write_register(name="a", version=2)
    await put(links, again, OTHER_LINK)
    async with links.read() as view:
        later = await view.registers.list_places(EVERYTHING, places[-1].change)
        assert len(await view.registers.list_places(EVERYTHING, 0)) == 2
    assert [(place.line, place.source) for place in later] == [(build_line(again), OTHER_LINK)]
