"""Logs from neighbours, on both databases and in memory: a cursor that moves from where it was, and letters that are new once."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.errors import StateConflict
from keisan.domain.ids import LetterId, LinkId, OrganizationId, ProviderId
from keisan.domain.letter import Letter
from keisan.domain.limits import LINK_BATCH_LETTERS_MAX
from keisan.domain.link_log import LinkLog, LogCursor, SettledPeriod
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from keisan.wire.letter import encode_letter
from tests.contracts.storage.conftest import LinkStorage
from tests.factories import NOW, FixedClock
from tests.letters import EAST, NORTH, SOUTH, write_letter

EVERYTHING = PlatformScope()
LINK, OTHER_LINK = (LinkId(create_id()) for _ in range(2))
LEDGER, EVENT = LinkLog.LEDGER, LinkLog.EVENT
EVERY_BYTE = 10**9
FIRST = LogCursor(create_id(), 3, b"h" * 32)
SECOND = LogCursor(FIRST.incarnation, 7, b"i" * 32)


async def keep(links: LinkStorage, *letters: Letter, link_id: LinkId = LINK, log: LinkLog = LEDGER) -> list[LetterId]:
    async with links.write() as transaction:
        return list(await transaction.incoming_logs.keep(link_id, log, letters))


async def read(
    links: LinkStorage, after: LetterId | None = None, bytes_max: int = EVERY_BYTE, log: LinkLog = LEDGER
) -> Sequence[bytes]:
    async with links.read() as view:
        return list(await view.incoming_logs.read(EVERYTHING, LINK, log, after, bytes_max))


async def get_cursor(links: LinkStorage, link_id: LinkId = LINK, log: LinkLog = LEDGER) -> LogCursor | None:
    async with links.read() as view:
        return await view.incoming_logs.get_cursor(EVERYTHING, link_id, log)


async def move(links: LinkStorage, before: LogCursor | None, after: LogCursor) -> None:
    async with links.write() as transaction:
        await transaction.incoming_logs.move_cursor(LINK, LEDGER, before, after)


async def test_the_cursor_moves_from_where_it_was_only(links: LinkStorage) -> None:
    assert await get_cursor(links) is None
    with pytest.raises(StateConflict):
        await move(links, FIRST, SECOND)
    await keep(links, write_letter())
    assert await get_cursor(links) is None
    await move(links, None, FIRST)
    assert await get_cursor(links) == FIRST
    others = (
        None,
        SECOND,
        LogCursor(create_id(), FIRST.sequence, FIRST.hash),
        LogCursor(FIRST.incarnation, 3, b"j" * 32),
    )
    for other in others:
        with pytest.raises(StateConflict):
            await move(links, other, SECOND)
    await move(links, FIRST, SECOND)
    assert await get_cursor(links) == SECOND
    assert await get_cursor(links, log=EVENT) is None
    assert await get_cursor(links, OTHER_LINK) is None
    # Another incarnation begins lower.
    begun = LogCursor(create_id(), 1, b"k" * 32)
    await move(links, SECOND, begun)
    assert await get_cursor(links) == begun


async def test_cursor_and_letters_stay_with_a_transaction_that_fails(links: LinkStorage) -> None:
    letter = write_letter()

    async def fail() -> None:
        async with links.write() as transaction:
            await transaction.incoming_logs.keep(LINK, LEDGER, [letter])
            await transaction.incoming_logs.move_cursor(LINK, LEDGER, None, FIRST)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await get_cursor(links) is None
    assert await keep(links, letter) == [letter.id]


async def test_a_letter_is_new_once(links: LinkStorage) -> None:
    one, two, three = (write_letter() for _ in range(3))
    assert await keep(links, two, one) == [two.id, one.id]
    assert await keep(links, one, three, three, two) == [three.id]
    assert await keep(links) == []
    assert await read(links) == [encode_letter(each) for each in (two, one, three)]
    assert await keep(links, one, log=EVENT) == await keep(links, one, link_id=OTHER_LINK) == [one.id]


async def test_nobody_keeps_anothers_letter_out_by_using_its_id(links: LinkStorage) -> None:
    genuine = write_letter(SOUTH)
    assert await keep(links, write_letter(EAST, id=genuine.id)) == [genuine.id]
    assert await keep(links, genuine) == [genuine.id]


async def test_reading_goes_on_after_a_letter_and_stops_at_its_bytes(links: LinkStorage) -> None:
    letters = [write_letter(body=b"x" * 1000) for _ in range(4)]
    encoded = [encode_letter(each) for each in letters]
    await keep(links, *letters[:2])
    await keep(links, *letters[2:])
    assert await read(links, bytes_max=3 * len(encoded[0])) == encoded[:3]
    assert await read(links, bytes_max=3 * len(encoded[0]) - 1) == encoded[:2]
    assert await read(links, letters[1].id, 1) == encoded[2:3]
    assert await read(links, letters[3].id) == []
    # What it would go on after is not kept: all comes anew.
    assert await read(links, write_letter().id) == encoded
    assert await read(links, log=EVENT) == []


async def test_reading_stops_at_its_count(links: LinkStorage) -> None:
    letters = [write_letter() for _ in range(LINK_BATCH_LETTERS_MAX + 1)]
    await keep(links, *letters)
    assert len(await read(links)) == LINK_BATCH_LETTERS_MAX
    assert await read(links, letters[-2].id) == [encode_letter(letters[-1])]


async def test_what_may_go_goes_from_wherever_it_is(links: LinkStorage, clock: FixedClock) -> None:
    october, november = [dict[str, Any](period=period, audience=SOUTH) for period in ("2026-10", "2026-11")]
    old, settled, open_one, young = write_letter(), write_letter(**october), write_letter(**november), write_letter()
    foreign = write_letter(EAST, **october)
    await keep(links, open_one, old, settled, foreign)
    await keep(links, old, link_id=OTHER_LINK)
    await clock.sleep(120)
    await keep(links, young)
    async with links.write() as transaction:
        settled_periods = [SettledPeriod(NORTH, SOUTH, "2026-10"), SettledPeriod(NORTH, EAST, "2026-11")]
        await transaction.incoming_logs.trim(LINK, settled_periods, NOW + timedelta(minutes=1))
    assert await read(links) == [encode_letter(each) for each in (open_one, foreign, young)]
    async with links.read() as view:
        assert len(await view.incoming_logs.read(EVERYTHING, OTHER_LINK, LEDGER, None, EVERY_BYTE)) == 1
    # Kept letters go on after those that went.
    last = write_letter()
    await keep(links, last)
    assert (await read(links))[-1] == encode_letter(last)


async def test_logs_are_the_platforms_own(links: LinkStorage) -> None:
    await keep(links, write_letter())
    await move(links, None, FIRST)
    async with links.read() as view:
        for scope in (OrganizationScope(OrganizationId(create_id())), ProviderScope(ProviderId(create_id()))):
            assert await view.incoming_logs.get_cursor(scope, LINK, LEDGER) is None
            assert list(await view.incoming_logs.read(scope, LINK, LEDGER, None, EVERY_BYTE)) == []


async def test_what_arrives_twice_at_once_is_new_once(storage: Database) -> None:
    letters = [write_letter() for _ in range(5)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(keep(storage, *letters)) for _ in range(4)]
    assert sorted(new for task in tasks for new in task.result()) == sorted(each.id for each in letters)
