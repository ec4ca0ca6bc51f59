"""The key book on disk: neighbours by their links, others by what is vouched for."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keisan.control.key_book import load_key_book
from tests.control.town import Country


@pytest.fixture
async def country(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Country]:
    made = Country(tmp_path, migrated_file)
    yield made
    await made.end()


async def test_the_book_knows_this_platform_and_its_neighbours(country: Country) -> None:
    nation, shanxi, stranger = [await country.found(name) for name in ("cn", "sx", "xx")]
    await country.join(shanxi, nation)
    async with shanxi.storage.read() as view:
        book = await load_key_book(view, shanxi.control)
    assert set(book.platforms) == {nation.id, shanxi.id}
    assert book.list_path(shanxi.id) == (shanxi.id, nation.id)
    assert book.find(stranger.id) is None
