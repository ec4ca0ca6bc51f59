"""What is done with letters that came: none is lost, none blocks, none goes back where it came from."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from keisan.control import letter_handler
from keisan.control.letter import build_draft
from keisan.control.letter_handler import deliver_items, retry_letters
from keisan.domain.access import PlatformScope
from keisan.domain.ids import LinkId
from keisan.domain.letter import Arrival, Letter
from keisan.domain.link import LinkState
from keisan.domain.link_log import LinkLog
from keisan.wire.letter import sign_letter
from tests.control.town import NOTE, Country, Town
from tests.deadline import wait_until_async


@pytest.fixture
async def country(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Country]:
    made = Country(tmp_path, migrated_file)
    monkeypatch.setitem(cast("dict[str, object]", letter_handler.HANDLERS), NOTE, made.take_note)
    yield made
    await made.end()


def sign(author: Town, text: str, audience: Town | None = None, kind: str = NOTE) -> Letter:
    draft = build_draft(author.control, kind, text.encode(), None if audience is None else audience.id)
    return sign_letter(draft, author.id, author.control.get_identity().signer)


async def deliver(town: Town, neighbour: Town, *letters: Letter) -> None:
    async with town.storage.write() as transaction:
        link = (await transaction.links.list_neighbour(PlatformScope(), neighbour.id))[0]
        arrival = Arrival(link.id, neighbour.id, town.control.clock.now())
        await deliver_items(transaction, town.control, arrival, LinkLog.LEDGER, letters)


async def retry(town: Town, told: LinkId | None = None) -> int:
    async with town.storage.write() as transaction:
        return await retry_letters(transaction, town.control, told)


async def list_codes(town: Town) -> list[str]:
    return sorted(code for code, _ in await town.list_refused())


async def test_each_letter_that_cannot_be_taken_is_kept_with_why_and_the_others_go_on(country: Country) -> None:
    nation, shanxi, stranger = [await country.found(name) for name in ("cn", "sx", "xx")]
    await country.join(shanxi, nation)
    letters = [
        sign(stranger, "stranger"),
        replace(sign(shanxi, "forged"), signature=bytes(64)),
        sign(shanxi, "?", kind="song"),
        sign(shanxi, "lost", stranger),
        sign(shanxi, "back", shanxi),
        sign(shanxi, "good", nation),
    ]
    await deliver(nation, shanxi, *letters)
    assert country.list_arrived(nation) == ["good"]
    codes = ["invalid_input", "letter_unknown", "letter_unroutable", "letter_unroutable", "permission_denied"]
    assert await list_codes(nation) == codes
    assert await retry(nation) == 0
    assert await list_codes(nation) == codes


async def test_what_was_too_early_is_taken_once_more_is_known(country: Country) -> None:
    nation, shanxi, shanghai = [await country.found(name) for name in ("cn", "sx", "sh")]
    await country.join(shanxi, nation)
    await deliver(nation, shanxi, sign(shanxi, "early", shanghai), sign(shanghai, "unknown", nation))
    assert await list_codes(nation) == ["letter_unroutable", "permission_denied"]
    await country.join(shanghai, nation)
    # By this, or by whoever watches what is known here.
    await retry(nation)
    assert await list_codes(nation) == []
    assert country.list_arrived(nation) == ["unknown"]


async def test_what_came_over_a_link_that_is_over_waits_for_a_person(country: Country) -> None:
    nation, shanxi = [await country.found(name) for name in ("cn", "sx")]
    await country.join(shanxi, nation)
    await deliver(nation, shanxi, sign(shanxi, "?", kind="song"))
    async with nation.storage.write() as transaction:
        link = (await transaction.links.list_neighbour(PlatformScope(), shanxi.id))[0]
        await transaction.links.update(replace(link, state=LinkState.REVOKED, version=link.version + 1))
    assert await retry(nation) == 0
    assert await list_codes(nation) == ["letter_unknown"]


async def test_a_letter_that_was_sent_up_too_early_goes_back_down_once_its_sender_knows_why(country: Country) -> None:
    """Shanxi had not heard yet who is below it, and sent up; by the time the letter comes it has told where Taiyuan is."""
    nation, shanxi, taiyuan = [await country.found(name) for name in ("cn", "sx", "sx.ty")]
    await country.join(shanxi, nation)
    await country.still(nation)
    link_id = await find_link(nation, shanxi)
    await deliver(nation, shanxi, sign(shanxi, "early", taiyuan))
    assert await retry(nation, link_id) == 0
    async with nation.storage.write() as transaction:
        await transaction.registers.put(await taiyuan.put("offer", "m", b"1"), link_id)
    assert await retry(nation) == 0
    assert await list_codes(nation) == ["letter_unroutable"]
    assert await retry(nation, link_id) == 1
    assert await list_codes(nation) == []
    assert await count_sent(nation, link_id) == 1


async def test_a_letter_that_comes_back_waits_until_the_way_is_known(country: Country) -> None:
    """The nation thinks that Taiyuan is behind Shanxi, which knows that it is not: the log has the letter, and would swallow it."""
    nation, shanxi, beijing, taiyuan = [await country.found(name) for name in ("cn", "sx", "bj", "sx.ty")]
    for town in (shanxi, beijing):
        await country.join(town, nation)
    await country.still(nation)
    links = {town.id: await find_link(nation, town) for town in (shanxi, beijing)}
    async with nation.storage.write() as transaction:
        await transaction.registers.put(await taiyuan.put("offer", "m", b"1"), links[shanxi.id])
    letter = sign(beijing, "lost?", taiyuan)
    await deliver(nation, beijing, letter)
    assert await count_sent(nation, links[shanxi.id]) == 1
    await deliver(nation, shanxi, letter)
    assert await list_codes(nation) == ["letter_unroutable"]
    async with nation.storage.write() as transaction:
        await transaction.registers.put(await taiyuan.put("offer", "m", b"2"), links[beijing.id])
    await retry(nation)
    assert [await count_sent(nation, links[town.id]) for town in (shanxi, beijing)] == [1, 1]
    assert await list_codes(nation) == []


async def test_a_letter_goes_again_where_it_went_by_a_log_that_has_not_had_it(country: Country) -> None:
    """It went to Shanxi, Taiyuan moved to Beijing, and back again: each log would take it for delivered the second time."""
    nation, shanxi, beijing, taiyuan = [await country.found(name) for name in ("cn", "sx", "bj", "sx.ty")]
    for town in (shanxi, beijing):
        await country.join(town, nation)
    await country.still(nation)
    link_id = await find_link(nation, shanxi)
    async with nation.storage.write() as transaction:
        await transaction.registers.put(await taiyuan.put("offer", "m", b"1"), link_id)
    letter = sign(nation, "again", taiyuan)
    for _ in LinkLog:
        await deliver(nation, beijing, letter)
    assert [await count_sent(nation, link_id, log) for log in LinkLog] == [1, 1]
    await deliver(nation, beijing, letter)
    assert await list_codes(nation) == ["letter_unroutable"]


async def find_link(town: Town, neighbour: Town) -> LinkId:
    async with town.storage.read() as view:
        return (await view.links.list_neighbour(PlatformScope(), neighbour.id))[0].id


async def count_sent(town: Town, link_id: LinkId, log: LinkLog = LinkLog.LEDGER) -> int:
    async with town.storage.read() as view:
        end = await view.outgoing_logs.get_end(PlatformScope(), link_id, log)
    return 0 if end is None else end.sequence


async def test_what_came_too_early_goes_back_over_the_link_once_its_sender_was_told(country: Country) -> None:
    """Taiyuan joins Shanxi only now: the nation hears it from Shanxi, and sends it the letter by itself."""
    nation, shanxi, taiyuan = [await country.found(name) for name in ("cn", "sx", "sx.ty")]
    await country.join(shanxi, nation)
    await deliver(nation, shanxi, sign(shanxi, "early", taiyuan))
    assert await list_codes(nation) == ["letter_unroutable"]
    await country.join(taiyuan, shanxi)
    for town in (shanxi, taiyuan):
        country.connect(town)
    await wait_until_async(lambda: country.list_arrived(taiyuan) == ["early"], "the letter has come", 30)
    assert await list_codes(nation) == []
