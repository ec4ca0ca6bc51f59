"""Logs to neighbours, on both databases and in memory: once, in order, and kept until they may go."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.ids import LinkId, OrganizationId, ProviderId
from keisan.domain.letter import Letter
from keisan.domain.limits import LINK_BATCH_LETTERS_MAX
from keisan.domain.link_log import FIRST_HASH, LinkLog, LogEnd, LogItem, SettledPeriod, extend_hash
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from keisan.wire.letter import decode_letter, encode_letter
from tests.contracts.storage.conftest import LinkStorage
from tests.factories import NOW, FixedClock
from tests.letters import EAST, NORTH, SOUTH, write_letter

EVERYTHING = PlatformScope()
LINK, OTHER_LINK = (LinkId(create_id()) for _ in range(2))
LEDGER, EVENT = LinkLog.LEDGER, LinkLog.EVENT
EVERY_BYTE = 10**9


async def append(links: LinkStorage, *letters: Letter, link_id: LinkId = LINK, log: LinkLog = LEDGER) -> LogEnd:
    async with links.write() as transaction:
        return await transaction.outgoing_logs.append(link_id, log, letters)


async def read(
    links: LinkStorage, after: int = 0, bytes_max: int = EVERY_BYTE, log: LinkLog = LEDGER
) -> Sequence[LogItem]:
    async with links.read() as view:
        return await view.outgoing_logs.read(EVERYTHING, LINK, log, after, bytes_max)


async def get_end(links: LinkStorage, link_id: LinkId = LINK, log: LinkLog = LEDGER) -> LogEnd | None:
    async with links.read() as view:
        return await view.outgoing_logs.get_end(EVERYTHING, link_id, log)


async def trim(links: LinkStorage, *settled: SettledPeriod, minutes: int = 0, acknowledged: bool = True) -> LogEnd:
    """Trim the link's logs of what was appended up to so many minutes after the start; return where the ledger's is."""
    end = await get_end(links)
    assert end is not None
    async with links.write() as transaction:
        if acknowledged:
            await transaction.outgoing_logs.acknowledge(LINK, LEDGER, end.incarnation, end.sequence)
        await transaction.outgoing_logs.trim(LINK, settled, NOW + timedelta(minutes=minutes))
    after = await get_end(links)
    assert after is not None
    return after


def chain(*letters: Letter) -> list[bytes]:
    """Return the running hash after each letter."""
    hashes = [FIRST_HASH]
    for letter in letters:
        hashes.append(extend_hash(hashes[-1], encode_letter(letter)))
    return hashes


async def test_letters_are_at_their_places_with_their_hashes(links: LinkStorage) -> None:
    letters = [write_letter(body=b"x" * size) for size in range(5)]
    assert await get_end(links) is None
    first = await append(links, *letters[:2])
    end = await append(links, *letters[2:])
    hashes = chain(*letters)
    assert (first.sequence, first.hash) == (2, hashes[2])
    assert end == LogEnd(first.incarnation, 5, hashes[5], 0, FIRST_HASH)
    assert await get_end(links) == end
    assert await read(links) == [
        LogItem(at, hashes[at], letter.id, encode_letter(letter)) for at, letter in enumerate(letters, 1)
    ]
    assert [item.sequence for item in await read(links, after=3)] == [4, 5]
    assert [*await read(links, after=5), *await read(links, after=99)] == []


async def test_an_empty_append_begins_the_log(links: LinkStorage) -> None:
    begun = await append(links)
    assert (begun.sequence, begun.hash) == (0, FIRST_HASH)
    assert await append(links) == begun == await get_end(links)


async def test_a_letter_that_is_kept_already_is_passed_over(links: LinkStorage) -> None:
    one, two, three = (write_letter() for _ in range(3))
    await append(links, one, two)
    end = await append(links, two, three, three, one)
    assert [item.letter_id for item in await read(links)] == [one.id, two.id, three.id]
    assert (end.sequence, end.hash) == (3, chain(one, two, three)[3])
    assert await append(links, one) == end


async def test_it_is_known_whether_a_letter_went_to_a_neighbour(links: LinkStorage) -> None:
    sent, other = write_letter(NORTH), write_letter(SOUTH)
    await append(links, sent, log=EVENT)
    async with links.write() as transaction:
        has_letter = transaction.outgoing_logs.has_letter
        assert [await has_letter(LINK, EVENT, sent), await has_letter(LINK, EVENT, other)] == [True, False]
        assert [await has_letter(LINK, LEDGER, sent), await has_letter(OTHER_LINK, EVENT, sent)] == [False, False]


async def test_nobody_keeps_anothers_letter_out_by_using_its_id(links: LinkStorage) -> None:
    genuine = write_letter(SOUTH)
    forged = write_letter(EAST, id=genuine.id)
    await append(links, forged)
    await append(links, genuine)
    assert [item.letter for item in await read(links)] == [encode_letter(forged), encode_letter(genuine)]


async def test_logs_and_links_are_apart(links: LinkStorage) -> None:
    letter = write_letter()
    ends = [
        await append(links, letter),
        await append(links, letter, log=EVENT),
        await append(links, letter, link_id=OTHER_LINK),
    ]
    assert len({end.incarnation for end in ends}) == 3
    assert {end.sequence for end in ends} == {1}


async def test_what_a_transaction_appended_goes_with_it(links: LinkStorage) -> None:
    kept, lost = write_letter(), write_letter()
    before = await append(links, kept)

    async def fail() -> None:
        async with links.write() as transaction:
            await transaction.outgoing_logs.append(LINK, LEDGER, [lost])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await get_end(links) == before
    assert (await append(links, lost)).hash == chain(kept, lost)[2]


async def test_reading_stops_at_its_bytes_and_never_before_one_letter(links: LinkStorage) -> None:
    letters = [write_letter(body=b"x" * 1000) for _ in range(4)]
    await append(links, *letters)
    size = len(encode_letter(letters[0]))
    assert [item.sequence for item in await read(links, bytes_max=3 * size)] == [1, 2, 3]
    assert [item.sequence for item in await read(links, bytes_max=3 * size - 1)] == [1, 2]
    assert [item.sequence for item in await read(links, after=1, bytes_max=1)] == [2]


async def test_reading_stops_at_its_count(links: LinkStorage) -> None:
    await append(links, *(write_letter() for _ in range(LINK_BATCH_LETTERS_MAX + 1)))
    assert len(await read(links)) == LINK_BATCH_LETTERS_MAX
    assert len(await read(links, after=LINK_BATCH_LETTERS_MAX)) == 1


async def test_hash_is_found_where_it_is_kept_or_was_trimmed_last(links: LinkStorage) -> None:
    letters = [write_letter(period="2026-11", audience=SOUTH) for _ in range(2)] + [write_letter() for _ in range(2)]
    await append(links, *letters)
    hashes = chain(*letters)

    async def find_all() -> list[bytes | None]:
        async with links.read() as view:
            return [await view.outgoing_logs.find_hash(EVERYTHING, LINK, LEDGER, at) for at in range(-1, 6)]

    assert await find_all() == [None, *hashes, None]
    end = await trim(links, SettledPeriod(NORTH, SOUTH, "2026-11"), minutes=-1)
    assert (end.trimmed_sequence, end.trimmed_hash, end.sequence, end.hash) == (2, hashes[2], 4, hashes[4])
    assert await find_all() == [None, None, None, *hashes[2:], None]


async def test_only_what_is_settled_goes_from_the_oldest_on(links: LinkStorage) -> None:
    october, november = [dict[str, Any](period=period, audience=SOUTH) for period in ("2026-10", "2026-11")]
    letters = [write_letter(**each) for each in (october, october, november, october)]
    foreign = write_letter(EAST, **october)
    await append(links, *letters, foreign)
    for settled in (
        SettledPeriod(NORTH, EAST, "2026-10"),
        SettledPeriod(SOUTH, NORTH, "2026-10"),
        SettledPeriod(NORTH, SOUTH, "2026-11"),
    ):
        assert (await trim(links, settled, minutes=60)).trimmed_sequence == 0
    assert (await trim(links, SettledPeriod(NORTH, SOUTH, "2026-10"))).trimmed_sequence == 2
    both = [SettledPeriod(NORTH, SOUTH, period) for period in ("2026-10", "2026-11")]
    assert (await trim(links, *both)).trimmed_sequence == 4
    assert [item.letter_id for item in await read(links)] == [foreign.id]
    end = await trim(links, *both, SettledPeriod(EAST, SOUTH, "2026-10"))
    assert (end.sequence, end.trimmed_sequence, end.hash) == (5, 5, end.trimmed_hash)
    # What went may come again: it is the neighbour's word that it was lost.
    assert (await append(links, letters[0])).sequence == 6


async def test_what_has_no_period_goes_by_its_age(links: LinkStorage, clock: FixedClock) -> None:
    await append(links, write_letter(), write_letter())
    await clock.sleep(120)
    await append(links, write_letter())
    assert (await trim(links, minutes=-1)).trimmed_sequence == 0
    assert (await trim(links, minutes=1)).trimmed_sequence == 2
    assert (await trim(links, minutes=2)).trimmed_sequence == 3


async def test_silence_deletes_nothing(links: LinkStorage) -> None:
    end = await append(links, *(write_letter() for _ in range(3)))
    assert (await trim(links, minutes=60, acknowledged=False)).trimmed_sequence == 0
    async with links.write() as transaction:
        logs = transaction.outgoing_logs
        await logs.acknowledge(LINK, LEDGER, end.incarnation, 2)
        await logs.acknowledge(LINK, LEDGER, end.incarnation, 1)
        await logs.acknowledge(LINK, LEDGER, end.incarnation, 4)
        await logs.acknowledge(LINK, LEDGER, create_id(), 3)
        await logs.acknowledge(LINK, EVENT, end.incarnation, 3)
    found = await get_end(links)
    assert found is not None
    assert found.acknowledged_sequence == 2
    assert (await trim(links, minutes=60, acknowledged=False)).trimmed_sequence == 2


async def test_a_settled_period_was_heard(links: LinkStorage) -> None:
    await append(links, write_letter(period="2026-11", audience=SOUTH), write_letter())
    end = await trim(links, SettledPeriod(NORTH, SOUTH, "2026-11"), minutes=60, acknowledged=False)
    assert (end.trimmed_sequence, end.acknowledged_sequence) == (1, 1)


async def test_trimming_leaves_other_links_alone(links: LinkStorage) -> None:
    await append(links, write_letter())
    other = await append(links, write_letter(), link_id=OTHER_LINK)
    async with links.write() as transaction:
        await transaction.outgoing_logs.acknowledge(OTHER_LINK, LEDGER, other.incarnation, 1)
    await trim(links, minutes=60)
    found = await get_end(links, OTHER_LINK)
    assert found is not None
    assert found.trimmed_sequence == 0


async def test_another_incarnation_begins_with_what_is_kept(links: LinkStorage) -> None:
    settled, *kept = [write_letter(period="2026-10", audience=SOUTH), *(write_letter(body=b"y") for _ in range(3))]
    await append(links, settled, *kept)
    await trim(links, SettledPeriod(NORTH, SOUTH, "2026-10"), minutes=-1)
    incarnation = create_id()
    async with links.write() as transaction:
        end = await transaction.outgoing_logs.begin_incarnation(LINK, LEDGER, incarnation)
    hashes = chain(*kept)
    assert end == LogEnd(incarnation, 3, hashes[3], 0, FIRST_HASH) == await get_end(links)
    assert [(item.sequence, item.hash) for item in await read(links)] == list(enumerate(hashes))[1:]
    # Asked again, and going on.
    async with links.write() as transaction:
        assert await transaction.outgoing_logs.begin_incarnation(LINK, LEDGER, incarnation) == end
    new = write_letter()
    assert await append(links, kept[0], new) == LogEnd(incarnation, 4, chain(*kept, new)[4], 0, FIRST_HASH)
    end = await trim(links, minutes=0)
    assert (end.trimmed_sequence, end.trimmed_hash) == (4, end.hash)


async def test_an_incarnation_begins_where_nothing_was(links: LinkStorage) -> None:
    incarnation = create_id()
    async with links.write() as transaction:
        end = await transaction.outgoing_logs.begin_incarnation(LINK, EVENT, incarnation)
    assert end == LogEnd(incarnation, 0, FIRST_HASH, 0, FIRST_HASH)
    assert (await append(links, write_letter(), log=EVENT)).incarnation == incarnation


async def test_logs_are_the_platforms_own(links: LinkStorage) -> None:
    await append(links, write_letter())
    async with links.read() as view:
        for scope in (OrganizationScope(OrganizationId(create_id())), ProviderScope(ProviderId(create_id()))):
            assert await view.outgoing_logs.get_end(scope, LINK, LEDGER) is None
            assert list(await view.outgoing_logs.read(scope, LINK, LEDGER, 0, EVERY_BYTE)) == []
            assert await view.outgoing_logs.find_hash(scope, LINK, LEDGER, 1) is None


async def test_the_ends_of_all_logs_are_listed(links: LinkStorage) -> None:
    async with links.read() as view:
        assert await view.outgoing_logs.list_ends(PlatformScope()) == {}
    ends = {(LINK, log): await append(links, write_letter(), log=log) for log in (LEDGER, EVENT)}
    async with links.read() as view:
        assert await view.outgoing_logs.list_ends(PlatformScope()) == ends
        assert await view.outgoing_logs.list_ends(OrganizationScope(OrganizationId(create_id()))) == {}


async def test_those_who_append_at_once_wait_for_one_another(storage: Database) -> None:
    letters = [[write_letter(), write_letter()] for _ in range(8)]
    async with asyncio.TaskGroup() as group:
        for each in letters:
            group.create_task(append(storage, *each))
    items = await read(storage)
    assert [item.sequence for item in items] == list(range(1, 17))
    in_order = [decode_letter(item.letter) for item in items]
    assert [item.hash for item in items] == chain(*in_order)[1:]
    assert sorted(item.letter_id for item in items) == sorted(each.id for pair in letters for each in pair)
