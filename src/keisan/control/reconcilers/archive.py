"""The archive: what the journal has since the last run goes into files, small files become large ones, old ones go.

One thing in each round. Files are written between the read view and the guarded write, which lists them and moves the
cursor in one transaction: a crash before it leaves files that nobody lists, and the next round writes the same again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from keisan.domain.access import PlatformScope
from keisan.domain.archive import ArchiveCursor, ArchivedRecord, ArchiveFile, PendingEntry
from keisan.domain.ids import RecordId
from keisan.domain.lease import WorkNoun
from keisan.domain.limits import (
    ARCHIVE_INTERVAL_S,
    ARCHIVE_KEPT_S,
    ARCHIVE_LOOK_S,
    ARCHIVE_MERGE_DAYS_MAX,
    ARCHIVE_READ_RECORDS_MAX,
    ARCHIVE_RUN_ENTRIES_MAX,
    ARCHIVE_RUN_RECORDS_MAX,
    ARCHIVE_RUN_S_MAX,
    ARCHIVE_SWEEP_S,
)
from keisan.kit.clock import Clock
from keisan.ledger.archive import choose_entries, choose_expired, choose_merge, split_entries
from keisan.storage.base import Storage, Transaction
from keisan.storage.base_archive import Archive

# There is one archive on a platform, and no row that could give it an id.
ARCHIVE_ID = UUID("0190a7c0-0000-7000-8000-000000000001")


@dataclass(frozen=True, slots=True)
class ArchiveState:
    """The cursor, what comes after it, and the files that something could be done about."""

    cursor: ArchiveCursor
    pending: Sequence[PendingEntry] = ()
    mergeable: Sequence[ArchiveFile] = ()
    replaced: Sequence[ArchiveFile] = ()


@dataclass(frozen=True, slots=True)
class ArchiveChange:
    """What to do, and what came of it.

    `entries` or, with `is_before`, records of before the journal go into `added`; so do those of the `merged` files;
    `expired` files and, with `is_sweep`, leftovers go. `is_idle`: all was done that there was to do.
    """

    cursor: ArchiveCursor
    entries: Sequence[PendingEntry] = ()
    is_before: bool = False
    merged: Sequence[ArchiveFile] = ()
    expired: Sequence[ArchiveFile] = ()
    is_sweep: bool = False
    is_idle: bool = False
    added: Sequence[ArchiveFile] = field(default=())


@dataclass(frozen=True, slots=True)
class ArchiveReconciler:
    """Archives every minute what there is by then, and sooner once there is a full run of it."""

    storage: Storage
    archive: Archive
    clock: Clock

    async def load(self, transaction: Transaction, _noun_id: UUID) -> ArchiveState:
        """Return how far the archive reaches and what is next; no record yet."""
        cursor = await transaction.archive.get_cursor()
        return ArchiveState(
            cursor,
            await transaction.archive.list_pending(cursor.last_sequence, ARCHIVE_RUN_ENTRIES_MAX),
            await transaction.archive.list_mergeable(ARCHIVE_MERGE_DAYS_MAX),
            await transaction.archive.list_replaced(),
        )

    def decide(self, state: ArchiveState, now: datetime) -> ArchiveChange:
        """Choose one thing: records before all else, since an analysis waits for them."""
        cursor = state.cursor
        if not cursor.is_before_done:
            return ArchiveChange(cursor, is_before=True)
        if is_run_due(state, now):
            return ArchiveChange(cursor, entries=choose_entries(state.pending))
        if merged := choose_merge(state.mergeable):
            return ArchiveChange(cursor, merged=merged)
        if expired := choose_expired(state.replaced, now):
            return ArchiveChange(cursor, expired=expired)
        is_sweep = cursor.swept_at is None or now - cursor.swept_at >= timedelta(seconds=ARCHIVE_SWEEP_S)
        return ArchiveChange(cursor, is_sweep=is_sweep, is_idle=True)

    async def perform(self, change: ArchiveChange) -> ArchiveChange:
        """Write or remove files, outside of any transaction; raises StorageUnavailable if the disk refuses."""
        now = self.clock.now()
        if change.is_before:
            return await self._archive_before(change, now)
        if change.entries:
            last, added = await self._archive_entries(change.entries, now)
            cursor = replace(change.cursor, last_sequence=last.sequence, reached_at=last.created_at, archived_at=now)
            return replace(change, cursor=cursor, added=added)
        if change.merged:
            return replace(change, added=[await self.archive.merge(change.merged, now)])
        await self.archive.remove([each.name for each in change.expired])
        return await self._sweep(change, now) if change.is_sweep else change

    async def apply(self, transaction: Transaction, change: ArchiveChange, now: datetime) -> datetime:
        """List the new files in place of the merged ones and move the cursor; look again at once, or a little later."""
        await transaction.archive.mark_replaced(change.merged, now)
        await transaction.archive.add_files(change.added)
        await transaction.archive.delete_files([each.name for each in change.expired])
        await transaction.archive.put_cursor(change.cursor)
        return now + timedelta(seconds=ARCHIVE_LOOK_S) if change.is_idle else now

    async def _archive_entries(
        self, entries: Sequence[PendingEntry], now: datetime
    ) -> tuple[PendingEntry, Sequence[ArchiveFile]]:
        """Write what can be read in time, and return the last entry of it: what takes longer than a lease never counts."""
        writer = self.archive.open_writer()
        last, ends_at_s = entries[0], self.clock.monotonic_s() + ARCHIVE_RUN_S_MAX
        for part in split_entries(entries, ARCHIVE_READ_RECORDS_MAX):
            # A view for each part: entries never change, and none stays open while columns are made.
            async with self.storage.read() as view:
                records = await view.archive.list_records(PlatformScope(), part)
            await writer.add(records)
            last = part[-1]
            if self.clock.monotonic_s() > ends_at_s:
                break
        return last, await writer.finish(now)

    async def _archive_before(self, change: ArchiveChange, now: datetime) -> ArchiveChange:
        writer = self.archive.open_writer()
        cursor, count, records = change.cursor, 0, list[ArchivedRecord]()
        ends_at_s = self.clock.monotonic_s() + ARCHIVE_RUN_S_MAX
        while count < ARCHIVE_RUN_RECORDS_MAX and self.clock.monotonic_s() <= ends_at_s:
            async with self.storage.read() as view:
                records = list(await view.archive.list_before(PlatformScope(), cursor, ARCHIVE_READ_RECORDS_MAX))
            if not records:
                cursor = replace(cursor, is_before_done=True)
                break
            await writer.add(records)
            count += len(records)
            last = records[-1].posted.record
            cursor = replace(cursor, before_day=last.day, before_id=RecordId(last.id))
        return replace(change, cursor=cursor, added=await writer.finish(now))

    async def _sweep(self, change: ArchiveChange, now: datetime) -> ArchiveChange:
        async with self.storage.read() as view:
            names = await view.archive.list_names()
        await self.archive.sweep(names, now - timedelta(seconds=ARCHIVE_KEPT_S))
        return replace(change, cursor=replace(change.cursor, swept_at=now))


def is_run_due(state: ArchiveState, now: datetime) -> bool:
    """Tell whether a run is due: there is a full one, or something and the last one was a minute ago."""
    if not state.pending:
        return False
    count = sum(each.record_count for each in state.pending)
    if count >= ARCHIVE_RUN_RECORDS_MAX or len(state.pending) >= ARCHIVE_RUN_ENTRIES_MAX:
        return True
    archived_at = state.cursor.archived_at
    return archived_at is None or now - archived_at >= timedelta(seconds=ARCHIVE_INTERVAL_S)


async def start_archiving(storage: Storage, now: datetime) -> None:
    """Make the archive's work due: at every start of a platform, so that there is no way to be without it."""
    async with storage.write() as transaction:
        await transaction.outbox.put(WorkNoun.ARCHIVE, ARCHIVE_ID, now)
