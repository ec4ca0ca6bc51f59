"""What is kept for links goes once its period is signed for by both, on both databases, and by its age if it is of none."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from keisan.control.settlement_trim import list_trimmed, trim_logs
from keisan.domain.access import PlatformScope
from keisan.domain.letter import Letter
from keisan.domain.limits import CROSS_LATENESS_S_MAX
from keisan.domain.link import Link, LinkState
from keisan.domain.link_log import LinkLog, SettledPeriod
from keisan.storage.database import Database
from tests.control.settlement_world import Party, Post, call, end_both
from tests.factories import CHILD_SIGNER, NOW, create_link
from tests.federation.cross_samples import PERIOD
from tests.letters import write_letter

EVERYTHING = PlatformScope()
LEDGER = LinkLog.LEDGER
LATE = NOW + timedelta(seconds=CROSS_LATENESS_S_MAX)


@pytest.fixture
async def link(storage: Database) -> Link:
    made = replace(create_link(CHILD_SIGNER), state=LinkState.JOINED)
    async with storage.write() as transaction:
        await transaction.links.insert(made)
    return made


async def keep(storage: Database, link: Link, *letters: Letter) -> None:
    """Keep letters as sent to a neighbour, and acknowledged by it, and as come from it."""
    async with storage.write() as transaction:
        end = await transaction.outgoing_logs.append(link.id, LEDGER, letters)
        await transaction.outgoing_logs.acknowledge(link.id, LEDGER, end.incarnation, end.sequence)
        await transaction.incoming_logs.keep(link.id, LEDGER, letters)


async def list_kept(storage: Database, link: Link) -> tuple[int, int]:
    """Return how many letters are kept as sent, and how many as come."""
    async with storage.read() as view:
        sent = await view.outgoing_logs.read(EVERYTHING, link.id, LEDGER, 0, 10**6)
        come = await view.incoming_logs.read(EVERYTHING, link.id, LEDGER, None, 10**6)
    return len(sent), len(come)


async def trim(storage: Database, now: datetime = NOW) -> None:
    async with storage.write() as transaction:
        await trim_logs(transaction, now)


async def test_a_period_goes_once_both_have_signed(
    storage: Database, home: Party, serving: Party, post: Post, link: Link
) -> None:
    await call(home, serving, 1)
    for party in (home, serving):
        await party.tell()
    told = [letter for letter in post.letters if letter.period == PERIOD]
    assert {letter.author for letter in told} == {home.id, serving.id}
    await keep(storage, link, *told)
    await end_both(home, serving)
    # However late: silence deletes nothing.
    await trim(storage, NOW + timedelta(days=900))
    assert await list_kept(storage, link) == (2, 2)
    await post.deliver()
    async with storage.read() as view:
        assert set(await list_trimmed(view)) == {
            SettledPeriod(home.id, serving.id, PERIOD),
            SettledPeriod(serving.id, home.id, PERIOD),
        }
    await trim(storage)
    assert await list_kept(storage, link) == (0, 0)


async def test_what_is_of_no_period_is_kept_as_long_as_late_records_come(storage: Database, link: Link) -> None:
    await keep(storage, link, write_letter())
    await trim(storage, LATE - timedelta(seconds=1))
    assert await list_kept(storage, link) == (1, 1)
    await trim(storage, LATE + timedelta(seconds=1))
    assert await list_kept(storage, link) == (0, 0)
