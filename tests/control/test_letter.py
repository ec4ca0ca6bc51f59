"""Letters of the platform's own: a register's version rises when what it says changes, and letters go where a link leads."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keisan.domain.access import PlatformScope
from keisan.domain.errors import NotFound
from keisan.domain.letter import LetterKind
from keisan.kit.signature import is_signed_by
from tests.control.town import Country


@pytest.fixture
async def country(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Country]:
    made = Country(tmp_path, migrated_file)
    yield made
    await made.end()


async def test_a_register_has_a_new_version_only_when_it_says_something_else(country: Country) -> None:
    town = await country.found("cn")
    first = await town.put(LetterKind.OFFER, "m", b"1")
    assert await town.put(LetterKind.OFFER, "m", b"1") == first
    second = await town.put(LetterKind.OFFER, "m", b"2")
    assert [first.version, second.version] == [1, 2]
    assert is_signed_by(second.public_key, second.content, second.signature)
    assert second.author == town.id


async def test_letters_wait_in_the_log_of_the_link_towards_their_audience(country: Country) -> None:
    nation, shanxi = [await country.found(name) for name in ("cn", "sx")]
    with pytest.raises(NotFound):
        await shanxi.send(nation, "1")
    await country.join(shanxi, nation)
    await shanxi.send(nation, "1")
    await shanxi.send(None, "2")
    async with shanxi.storage.read() as view:
        ends = await view.outgoing_logs.list_ends(PlatformScope())
    assert [end.sequence for end in ends.values()] == [2]
    with pytest.raises(NotFound):
        await nation.send(None, "3")
