"""Streams of both kinds: what was committed is read in its order, once, until it is trimmed; of registers the newest."""

from collections.abc import Sequence
from datetime import timedelta

from keisan.domain.access import PlatformScope
from keisan.domain.ids import LinkId
from keisan.domain.letter import Letter
from keisan.domain.link_log import LinkLog, LogEnd, LogItem, SettledPeriod
from keisan.domain.register import RegisterKey, mark_register
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from keisan.streams.base import Streams
from keisan.wire.letter import encode_letter
from tests.factories import NOW
from tests.letters import NORTH, SOUTH, write_letter, write_register

EVERYTHING = PlatformScope()
LINK, OTHER_LINK = (LinkId(create_id()) for _ in range(2))
LEDGER, EVENT = LinkLog.LEDGER, LinkLog.EVENT
EVERY_BYTE = 10**9


async def append(storage: Database, *letters: Letter, link_id: LinkId = LINK, log: LinkLog = LEDGER) -> LogEnd:
    async with storage.write() as transaction:
        return await transaction.outgoing_logs.append(link_id, log, letters)


async def put(storage: Database, *letters: Letter, source: LinkId | None = None) -> None:
    async with storage.write() as transaction:
        for letter in letters:
            await transaction.registers.put(letter, source)


async def read(streams: Streams, end: LogEnd, after: int = 0, bytes_max: int = EVERY_BYTE) -> Sequence[LogItem]:
    return list(await streams.read(LINK, LEDGER, end.incarnation, after, bytes_max))


async def read_all(streams: Streams, end: LogEnd) -> Sequence[LogItem]:
    found: list[LogItem] = []
    while items := await read(streams, end, after=found[-1].sequence if found else 0):
        found += items
    return found


async def read_stored(storage: Database, after: int = 0) -> Sequence[LogItem]:
    async with storage.read() as view:
        return list(await view.outgoing_logs.read(EVERYTHING, LINK, LEDGER, after, EVERY_BYTE))


def name_key(letter: Letter) -> RegisterKey:
    return RegisterKey(letter.author, letter.kind, letter.name)


async def test_what_was_committed_is_read_at_once_and_in_order(storage: Database, streams: Streams) -> None:
    end = await append(storage, *(write_letter(body=b"x" * size) for size in range(3)))
    assert await read(streams, end) == await read_stored(storage)
    await append(storage, write_letter(), write_letter())
    assert await read(streams, end, after=3) == await read_stored(storage, 3)
    assert [item.sequence for item in await read(streams, end)] == [1, 2, 3, 4, 5]
    assert await read(streams, end, after=5) == []


async def test_reading_stops_at_its_bytes_and_never_before_one_letter(storage: Database, streams: Streams) -> None:
    letters = [write_letter(body=b"x" * 1000) for _ in range(4)]
    end = await append(storage, *letters)
    size = len(encode_letter(letters[0]))
    assert [item.sequence for item in await read(streams, end, bytes_max=3 * size)] == [1, 2, 3]
    assert [item.sequence for item in await read(streams, end, bytes_max=3 * size - 1)] == [1, 2]
    assert [item.sequence for item in await read(streams, end, 1, 1)] == [2]


async def test_links_logs_and_incarnations_are_apart(storage: Database, streams: Streams) -> None:
    end = await append(storage, write_letter())
    other = await append(storage, write_letter(), link_id=OTHER_LINK)
    event = await append(storage, write_letter(), log=EVENT)
    await streams.carry()
    assert len(await read(streams, end)) == 1
    for each in (other, event):
        assert await read(streams, each) == []
    assert list(await streams.read(LinkId(create_id()), LEDGER, create_id(), 0, EVERY_BYTE)) == []


async def test_what_was_rolled_back_is_not_read(storage: Database, streams: Streams) -> None:
    end = await append(storage, write_letter())

    async def fail() -> None:
        async with storage.write() as transaction:
            await transaction.outgoing_logs.append(LINK, LEDGER, [write_letter()])
            await streams.carry()
            raise ZeroDivisionError

    try:
        await fail()
    except ZeroDivisionError:
        assert len(await read(streams, end)) == 1
    kept = write_letter()
    await append(storage, kept)
    assert [item.letter_id for item in await read(streams, end, after=1)] == [kept.id]


async def test_what_was_trimmed_is_not_read(storage: Database, streams: Streams) -> None:
    end = await append(storage, *(write_letter(period="2026-10", audience=SOUTH) for _ in range(3)), write_letter())
    assert len(await read(streams, end)) == 4
    await trim(storage)
    await streams.carry()
    assert await read(streams, end) == await read_stored(storage)
    assert [item.sequence for item in await read(streams, end)] == [4]


async def test_what_was_trimmed_before_anybody_read_leaves_no_gap_behind(storage: Database, streams: Streams) -> None:
    end = await append(storage, write_letter())
    assert len(await read(streams, end)) == 1
    async with storage.write() as transaction:
        await transaction.outgoing_logs.acknowledge(LINK, LEDGER, end.incarnation, 1)
    await append(storage, *(write_letter(period="2026-10", audience=SOUTH) for _ in range(2)), write_letter())
    await trim(storage)
    assert [item.sequence for item in await read(streams, end, after=1)] == [4]
    await append(storage, write_letter())
    assert await read_all(streams, end) == await read_stored(storage)


async def test_another_incarnation_takes_the_place_of_the_one_before(storage: Database, streams: Streams) -> None:
    ended = await append(storage, *(write_letter(period="2026-10", audience=SOUTH) for _ in range(2)), write_letter())
    await trim(storage)
    assert len(await read(streams, ended)) == 1
    async with storage.write() as transaction:
        begun = await transaction.outgoing_logs.begin_incarnation(LINK, LEDGER, create_id())
    await append(storage, write_letter())
    items = await read(streams, begun)
    assert items == await read_stored(storage)
    assert [item.sequence for item in items] == [1, 2]
    assert await read(streams, ended) == []


async def test_more_than_one_read_returns(storage: Database, streams: Streams) -> None:
    end = await append(storage, *(write_letter() for _ in range(700)))
    found = await read_all(streams, end)
    assert [item.sequence for item in found] == list(range(1, 701))
    assert len({item.letter_id for item in found}) == 700


async def test_the_newest_of_a_register_is_found(storage: Database, streams: Streams) -> None:
    first, other = write_register(NORTH), write_register(SOUTH, name="any. *> name")
    await put(storage, first, other)
    await streams.carry()
    assert [await streams.find(name_key(each)) for each in (first, other)] == [first, other]
    second = write_register(NORTH, version=2, is_deleted=True)
    await put(storage, second)
    await streams.carry()
    assert await streams.find(name_key(first)) == second
    assert await streams.find(RegisterKey(SOUTH, "offer", "none")) is None


async def test_who_watches_is_told_what_is_newer_than_what_it_knows(storage: Database, streams: Streams) -> None:
    one, two = write_register(NORTH), write_register(SOUTH)
    await put(storage, one, two, write_register(kind="price"))
    await streams.carry()
    assert list(await streams.watch("offer", {})) == [one, two]
    known = {name_key(each): mark_register(each) for each in (one, two)}
    assert list(await streams.watch("offer", known)) == []
    gone = write_register(SOUTH, version=2, is_deleted=True)
    await put(storage, gone)
    await streams.carry()
    assert list(await streams.watch("offer", known)) == [gone]
    known[name_key(one)] = mark_register(write_register(NORTH, version=9))
    assert list(await streams.watch("offer", known)) == [gone]


async def test_what_came_by_a_link_that_ended_is_gone(storage: Database, streams: Streams) -> None:
    own, foreign = write_register(NORTH), write_register(SOUTH)
    await put(storage, own)
    await put(storage, foreign, source=LINK)
    await streams.carry()
    async with storage.write() as transaction:
        await transaction.registers.forget_source(LINK)
    await streams.carry()
    assert await streams.find(name_key(foreign)) is None
    assert list(await streams.watch("offer", {})) == [own]


async def trim(storage: Database) -> None:
    """Settle October of north and south."""
    async with storage.write() as transaction:
        settled = [SettledPeriod(NORTH, SOUTH, "2026-10")]
        await transaction.outgoing_logs.trim(LINK, settled, NOW + timedelta(days=1))
