"""The disk's side of a connection: what it notes, and what it looks at again."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keisan.control.letter import build_draft
from keisan.control.letter_handler import deliver_items
from keisan.control.link_session import LinkSession
from keisan.domain.access import PlatformScope
from keisan.domain.letter import Arrival, LetterKind
from keisan.domain.link_log import LinkLog
from keisan.federation.effect import Alarm, MergeLetters
from keisan.federation.link import LinkMachine, LinkOwn, LinkTime
from keisan.wire.letter import encode_letter, sign_letter
from keisan.wire.link import Ack, encode_message
from tests.control.town import Country, Town

NOW = LinkTime(0, 0)


@pytest.fixture
async def country(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Country]:
    made = Country(tmp_path, migrated_file)
    yield made
    await made.end()


async def open_session(town: Town, neighbour: Town) -> tuple[LinkSession, LinkMachine]:
    async with town.storage.read() as view:
        link = (await view.links.list_neighbour(PlatformScope(), neighbour.id))[0]
    session = LinkSession(town.control, link)
    own = LinkOwn(town.id, neighbour.id, is_child=town.parent is neighbour, epoch=link.epoch, release="test")
    return session, LinkMachine(own, await session.load_start({}))


async def test_who_was_heard_and_what_it_has_is_written_down(country: Country) -> None:
    nation, shanxi = [await country.found(name) for name in ("cn", "sx")]
    await country.join(shanxi, nation)
    await shanxi.send(nation, "1", "2")
    session, machine = await open_session(shanxi, nation)
    other, peer = await open_session(nation, shanxi)
    hello = peer.open(NOW)[0]
    for effect in machine.receive(hello.data, NOW):  # type: ignore[union-attr]  # a Send
        for sent in await session.carry_out(machine, effect):
            assert sent is not None
    async with shanxi.storage.read() as view:
        ends = await view.outgoing_logs.list_ends(PlatformScope())
    end = next(iter(ends.values()))
    machine.receive(encode_message(Ack(log="ledger", incarnation=end.incarnation, sequence=2)), NOW)
    await session.note_heard(machine, 250)
    await other.note_heard(peer, None)
    async with shanxi.storage.read() as view:
        link = (await view.links.list_neighbour(PlatformScope(), nation.id))[0]
        after = await view.outgoing_logs.get_end(PlatformScope(), link.id, LinkLog.LEDGER)
    assert (link.offset_ms, link.heard_at is not None) == (250, True)
    assert after is not None
    assert after.acknowledged_sequence == 2


async def test_a_higher_epoch_is_written_down_and_a_lower_one_is_not(country: Country) -> None:
    nation, shanxi = [await country.found(name) for name in ("cn", "sx")]
    await country.join(shanxi, nation)
    session, _ = await open_session(shanxi, nation)
    for epoch in (4, 2):
        await session.note_epoch(epoch)
    async with shanxi.storage.read() as view:
        link = (await view.links.list_neighbour(PlatformScope(), nation.id))[0]
    assert link.epoch == 4


async def test_a_register_of_whom_nobody_knew_is_kept_once_somebody_vouches(country: Country) -> None:
    nation, shanxi, taiyuan = [await country.found(name) for name in ("cn", "sx", "sx.ty")]
    await country.join(shanxi, nation)
    offer = encode_letter(await taiyuan.put(LetterKind.OFFER, "m", b"1"))
    session, machine = await open_session(nation, shanxi)
    await merge(session, machine, offer)
    assert await nation.find(taiyuan, LetterKind.OFFER, "m") is None
    await session.take_book(machine)
    assert await nation.find(taiyuan, LetterKind.OFFER, "m") is None
    await country.join(taiyuan, shanxi)
    async with shanxi.storage.read() as view:
        names = await view.registers.list_kind(PlatformScope(), LetterKind.NAME)
    await merge(session, machine, *map(encode_letter, names))
    await session.take_book(machine)
    assert await nation.find(taiyuan, LetterKind.OFFER, "m") == b"1"
    assert await session.carry_out(machine, Alarm("gap", "")) == []


async def test_what_waits_goes_back_once_the_neighbour_was_told_of_all_that_is_known(country: Country) -> None:
    nation, shanxi, taiyuan = [await country.found(name) for name in ("cn", "sx", "sx.ty")]
    await country.join(shanxi, nation)
    await country.still(nation)
    session, machine = await open_session(nation, shanxi)
    draft = build_draft(shanxi.control, LetterKind.EVENT, b"early", taiyuan.id)
    letter = sign_letter(draft, shanxi.id, shanxi.control.get_identity().signer)
    async with nation.storage.write() as transaction:
        link = (await transaction.links.list_neighbour(PlatformScope(), shanxi.id))[0]
        arrival = Arrival(link.id, shanxi.id, nation.control.clock.now())
        await deliver_items(transaction, nation.control, arrival, LinkLog.LEDGER, [letter])
        await transaction.registers.put(await taiyuan.put(LetterKind.OFFER, "m", b"1"), link.id)
        change = max(place.change for place in await transaction.registers.list_places(PlatformScope(), 0))

    async def count_back() -> int:
        await session.return_letters(machine)
        async with nation.storage.read() as view:
            end = await view.outgoing_logs.get_end(PlatformScope(), link.id, LinkLog.LEDGER)
        return 0 if end is None else end.sequence

    session.note_told(change)
    assert await count_back() == 0
    machine.is_met = True
    session.note_told(change - 1)
    assert await count_back() == 0
    session.note_told(change)
    assert await count_back() == 1
    assert await nation.list_refused() == []
    # Nothing is looked for again before something has changed.
    async with nation.storage.write() as transaction:
        await deliver_items(transaction, nation.control, arrival, LinkLog.LEDGER, [letter])
    await session.return_letters(machine)
    assert len(await nation.list_refused()) == 1
    await session.take_book(machine)
    await session.return_letters(machine)
    assert await nation.list_refused() == []


async def merge(session: LinkSession, machine: LinkMachine, *letters: bytes) -> None:
    machine._held._waiting.append(MergeLetters(1, letters))
    await session.carry_out(machine, MergeLetters(1, letters))
