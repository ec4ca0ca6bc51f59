"""What one side of a link says of itself, on both databases: ends and cursors of logs, hashes at places that are kept."""

from uuid import uuid4

from keisan.control.context import Control
from keisan.control.link_check import read_answer, tell_cursor
from keisan.domain.ids import hash_public_key
from keisan.domain.link_log import LinkLog, LogCursor
from keisan.domain.register import BUCKETS
from keisan.storage.database import Database
from keisan.wire.link_check import CheckQuestion
from tests.factories import FixedClock, create_link
from tests.letters import write_letter

LINK = create_link()


async def test_it_says_where_its_logs_are_and_what_it_had_at_the_askers_place(
    storage: Database, clock: FixedClock
) -> None:
    control = Control(storage, clock, hash_public_key(bytes(32)))
    cursor = LogCursor(uuid4(), 5, b"c" * 32)
    async with storage.write() as transaction:
        early = await transaction.outgoing_logs.append(LINK.id, LinkLog.LEDGER, [write_letter()])
        end = await transaction.outgoing_logs.append(LINK.id, LinkLog.LEDGER, [write_letter()])
        await transaction.incoming_logs.keep(LINK.id, LinkLog.EVENT, [write_letter()])
        await transaction.incoming_logs.move_cursor(LINK.id, LinkLog.EVENT, None, cursor)
    question = CheckQuestion(cursors={"ledger": tell_cursor(early)})
    async with storage.read() as view:
        found = await read_answer(view, control, LINK, question)
        beyond = tell_cursor(LogCursor(end.incarnation, 9, bytes(32)))
        unknown = await read_answer(view, control, LINK, CheckQuestion(cursors={"ledger": beyond}))
    assert found.ends == {"ledger": tell_cursor(end)}
    assert found.cursors == {"event": tell_cursor(cursor)}
    assert found.hashes == {"ledger": early.hash}
    assert unknown.hashes == {}
    assert found.offered == found.held == (0,) * BUCKETS
    assert (found.ledgers, found.tickets) == ((), ())
