"""Letters that were refused, on both databases and in memory: none is lost, until somebody has judged it."""

from datetime import timedelta

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope, Scope
from keisan.domain.ids import LinkId, OrganizationId, ProviderId
from keisan.domain.letter import Letter, RefusedLetter
from keisan.kit.ids import create_id
from tests.contracts.storage.conftest import LinkStorage
from tests.factories import NOW
from tests.letters import EAST, SOUTH, write_letter

EVERYTHING = PlatformScope()
LINK, OTHER_LINK = (LinkId(create_id()) for _ in range(2))


def refuse(letter: Letter, minute: int = 0, link_id: LinkId = LINK, code: str = "invalid_input") -> RefusedLetter:
    return RefusedLetter(letter, link_id, code, "not understood", NOW + timedelta(minutes=minute))


async def insert(links: LinkStorage, *refused: RefusedLetter) -> None:
    async with links.write() as transaction:
        for each in refused:
            await transaction.refused_letters.insert(each)


async def list_link(
    links: LinkStorage, link_id: LinkId | None, limit: int = 100, scope: Scope = EVERYTHING
) -> list[RefusedLetter]:
    async with links.read() as view:
        return list(await view.refused_letters.list_link(scope, link_id, limit))


async def test_the_newest_come_first_of_one_link_or_of_all(links: LinkStorage) -> None:
    first, second, third = refuse(write_letter(), 1), refuse(write_letter(), 2, OTHER_LINK), refuse(write_letter(), 3)
    await insert(links, second, third, first)
    assert await list_link(links, None) == [third, second, first]
    assert await list_link(links, LINK) == [third, first]
    assert await list_link(links, LINK, limit=1) == [third]
    assert await list_link(links, LinkId(create_id())) == []


async def test_the_same_letter_again_changes_nothing(links: LinkStorage) -> None:
    letter = write_letter()
    await insert(links, refuse(letter, 1), refuse(letter, 2, OTHER_LINK, "unknown_kind"))
    assert await list_link(links, None) == [refuse(letter, 1)]


async def test_another_letter_of_the_same_id_is_not_lost(links: LinkStorage) -> None:
    letter = write_letter(SOUTH)
    other = write_letter(EAST, id=letter.id)
    await insert(links, refuse(letter, 1), refuse(other, 2))
    assert await list_link(links, LINK) == [refuse(other, 2), refuse(letter, 1)]


async def test_one_that_was_judged_is_forgotten(links: LinkStorage) -> None:
    judged, kept = refuse(write_letter(), 1), refuse(write_letter(), 2)
    await insert(links, judged, kept)
    async with links.write() as transaction:
        await transaction.refused_letters.drop(judged.letter.id)
        await transaction.refused_letters.drop(write_letter().id)
    assert await list_link(links, None) == [kept]


async def test_they_are_the_platforms_own(links: LinkStorage) -> None:
    await insert(links, refuse(write_letter()))
    for scope in (OrganizationScope(OrganizationId(create_id())), ProviderScope(ProviderId(create_id()))):
        assert await list_link(links, None, scope=scope) == []
