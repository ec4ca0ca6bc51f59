"""An office has the book and the links as they are on disk, read once for all letters of a transaction."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from keisan.control.letter import build_draft
from keisan.control.letter_handler import deliver_items
from keisan.control.office import open_office
from keisan.domain.letter import Arrival, LetterKind
from keisan.domain.link_log import LinkLog
from keisan.wire.letter import sign_letter
from tests.control.town import Country
from tests.statements import list_statements


@pytest.fixture
async def country(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Country]:
    made = Country(tmp_path, migrated_file)
    yield made
    await made.end()


async def test_who_is_known_and_where_links_lead_is_as_on_disk(country: Country) -> None:
    nation, shanxi = [await country.found(name) for name in ("cn", "sx")]
    async with nation.storage.write() as transaction:
        before = await open_office(transaction, nation.control)
    assert (before.book.find(shanxi.id), before.around.links, before.told) == (None, (), None)
    await country.join(shanxi, nation)
    async with nation.storage.write() as transaction:
        office = await open_office(transaction, nation.control)
    (link,) = office.around.links
    known = office.book.find(shanxi.id)
    assert known is not None
    assert (link.neighbour_id, known.keys) == (shanxi.id, shanxi.chain)
    assert office.control is nation.control


async def test_it_is_opened_once_for_all_letters_that_come_together(country: Country) -> None:
    nation, shanxi = [await country.found(name) for name in ("cn", "sx")]
    await country.join(shanxi, nation)
    async with nation.storage.read() as view:
        (link,) = (await open_office(view, nation.control)).around.links
    arrival = Arrival(link.id, shanxi.id, country.clock.now())
    counts = []
    for number in (1, 9):
        # No handler takes their kind: each is refused.
        draft = replace(build_draft(shanxi.control, LetterKind.EVENT, b"", nation.id), kind="unheard_of")
        letters = [
            sign_letter(
                replace(draft, id=build_draft(shanxi.control, "", b"").id),
                shanxi.id,
                shanxi.control.get_identity().signer,
            )
            for _ in range(number)
        ]
        async with nation.storage.write() as transaction:
            with list_statements() as given:
                assert await deliver_items(transaction, nation.control, arrival, LinkLog.LEDGER, letters) == number
        counts.append(sum("FROM register WHERE register.kind" in said for said in given))
    assert counts[0] == counts[1] > 0, counts
