"""The journal's beginning: one opening entry, however often a platform starts."""

from keisan.control.context import Control
from keisan.control.journal import open_journal
from keisan.domain.access import PlatformScope
from keisan.domain.entry import EntryKind
from keisan.storage.database import Database


async def test_journal_is_opened_once(control: Control, storage: Database) -> None:
    for _ in range(3):
        await open_journal(control)
    async with storage.read() as view:
        entries = await view.entries.list(PlatformScope(), 0, 10)
    assert [(entry.sequence, entry.kind) for entry in entries] == [(1, EntryKind.OPENING)]
    # The planted world holds two records that are older.
    assert entries[0].record_count == 2
