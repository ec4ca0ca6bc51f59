"""The backlog of the healing bench is what it says: letters of a log, records and totals, which the parent's handlers take whole."""

from datetime import UTC, datetime
from pathlib import Path

from keisan.control.letter_handler import deliver_items
from keisan.domain.letter import Arrival
from keisan.domain.link_log import LinkLog
from keisan.wire.letter import decode_letter
from stage.link_backlog import BATCH_RECORDS, Backlog, plant_terms, write_backlog
from stage.link_pair import build_pair
from stage.link_plain import read_lots
from stage.link_progress import count_held


async def test_a_backlog_is_as_many_letters_as_it_says_and_all_are_taken(tmp_path: Path) -> None:
    parent, child = await build_pair(tmp_path, 1)
    for side, other in ((parent, child), (child, parent)):
        await plant_terms(side, other.town.id, datetime.now(UTC))
    backlog = Backlog(hours=3, batches_per_h=2)
    await write_backlog(child, parent.town.id, backlog)
    letters = [decode_letter(letter) for lot in await read_lots(child) for letter in lot]
    assert len(letters) == backlog.letters == 9
    arrival = Arrival((await parent.get_link()).id, child.town.id, datetime.now(UTC))
    async with parent.town.storage.write() as transaction:
        await deliver_items(transaction, parent.town.control, arrival, LinkLog.LEDGER, letters)
    for side in (parent, child):
        await side.town.storage.close()
    records = backlog.batches * BATCH_RECORDS
    told = {"records": records, "settled": records, "totals": 3, "refused": 0}
    assert count_held(parent) == {**told, "batches": backlog.batches}
    # Nothing was signed back yet.
    assert count_held(child) == {**told, "batches": 0}
