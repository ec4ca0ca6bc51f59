"""Letters that a neighbour returns: own ones are taken back, others' are their authors' to send again."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from keisan.control import letter_handler
from keisan.control.context import Control
from keisan.control.letter import build_draft
from keisan.control.link_return import take_back
from keisan.domain.access import PlatformScope
from keisan.domain.letter import Arrival, Letter, LetterKind
from keisan.domain.link_log import LinkLog
from keisan.storage.base import Transaction
from keisan.wire.letter import sign_letter
from tests.control.town import Country, Town


@pytest.fixture
async def country(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Country]:
    made = Country(tmp_path, migrated_file)
    yield made
    await made.end()


def sign(town: Town, text: str) -> Letter:
    return sign_letter(
        build_draft(town.control, LetterKind.USAGE, text.encode()), town.id, town.control.get_identity().signer
    )


async def test_own_letters_are_in_the_log_again_and_with_who_keeps_what_they_say(
    country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    nation, shanxi = [await country.found(name) for name in ("cn", "sx")]
    await country.join(shanxi, nation)
    regained: list[bytes] = []

    async def regain(_: Transaction, __: Control, ___: Arrival, letter: Letter) -> None:
        regained.append(letter.body)

    monkeypatch.setitem(cast("dict[str, object]", letter_handler.REGAIN_HANDLERS), LetterKind.USAGE, regain)
    own, others = sign(shanxi, "own"), sign(nation, "another's")
    forged = replace(sign(shanxi, "forged"), signature=bytes(64))
    unkept = sign_letter(
        build_draft(shanxi.control, LetterKind.EVENT, b"event"), shanxi.id, shanxi.control.get_identity().signer
    )
    async with shanxi.storage.write() as transaction:
        link = (await transaction.links.list_neighbour(PlatformScope(), nation.id))[0]
        arrival = Arrival(link.id, nation.id, shanxi.control.clock.now())
        await take_back(transaction, shanxi.control, arrival, LinkLog.LEDGER, [own, others, forged, unkept, own])
        items = await transaction.outgoing_logs.read(PlatformScope(), link.id, LinkLog.LEDGER, 0, 10**6)
    assert [item.letter_id for item in items] == [own.id, unkept.id]
    assert set(regained) == {b"own"}
    assert [code for code, _ in await shanxi.list_refused()] == ["invalid_input"]
