"""What the database knows of the archive: how far it reaches, and which files it is made of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    Index,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    case,
    delete,
    exists,
    func,
    select,
    tuple_,
    update,
)

from keisan.domain.access import Scope
from keisan.domain.archive import ArchiveCursor, ArchivedRecord, ArchiveFile, PendingEntry
from keisan.domain.entry import EntryKind
from keisan.domain.errors import InvariantBroken
from keisan.domain.ids import RecordId
from keisan.domain.limits import ARCHIVE_FILE_RECORDS_MAX, ARCHIVE_MERGE_FILES
from keisan.storage.connection import GuardedConnection
from keisan.storage.entry import entry
from keisan.storage.repository import PARAMETERS_PER_STATEMENT_MAX, split_chunks
from keisan.storage.retention_table import retention
from keisan.storage.schema import Instant, build_column, build_id, metadata
from keisan.storage.usage import select_posted
from keisan.storage.usage_table import VISIBILITY, to_context, to_posted, usage_record

archive = Table(
    "archive",
    metadata,
    # Always 1: there is one archive.
    build_column("position", SmallInteger()),
    build_column("last_sequence", BigInteger()),
    build_column("reached_at", Instant(), is_nullable=True),
    build_column("is_before_done", Boolean()),
    build_column("before_day", Date(), is_nullable=True),
    build_id("before_id", is_nullable=True),
    build_column("archived_at", Instant(), is_nullable=True),
    build_column("swept_at", Instant(), is_nullable=True),
    PrimaryKeyConstraint("position"),
    CheckConstraint("position = 1", "one_archive"),
)

archive_file = Table(
    "archive_file",
    metadata,
    build_column("name", Text()),
    build_column("day", Date()),
    build_column("first_sequence", BigInteger()),
    build_column("last_sequence", BigInteger()),
    build_column("record_count", BigInteger()),
    build_column("size_bytes", BigInteger()),
    build_column("created_at", Instant()),
    # Null while the file is in the list.
    build_column("replaced_at", Instant(), is_nullable=True),
    # Null until its records were compared with the stored ones.
    build_column("sha256", Text(), is_nullable=True),
    PrimaryKeyConstraint("name"),
    Index(None, "day"),
)
IS_LISTED = archive_file.c.replaced_at.is_(None)
# The records of the first entry were posted before there was a journal, and do not name it: they go by list_before.
OWN_COUNT = case((entry.c.kind == EntryKind.OPENING, 0), else_=entry.c.record_count)


class ArchiveRepository:
    """The cursor, the list of files, and what is to go into the next ones."""

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection

    async def get_cursor(self) -> ArchiveCursor:
        """Return how far the archive reaches: nowhere before its first run."""
        row = await self._connection.fetch_first(select(*(each for each in archive.columns if each.name != "position")))
        return ArchiveCursor() if row is None else ArchiveCursor(**row)

    async def put_cursor(self, cursor: ArchiveCursor) -> None:
        """Write how far the archive reaches; only who holds the lease on it does."""
        values = asdict(cursor)
        if await self._connection.change(update(archive), values) == 0:
            await self._connection.change(archive.insert(), values | {"position": 1})

    async def list_pending(self, after_sequence: int, limit: int) -> Sequence[PendingEntry]:
        """Return entries in order of sequence, after the given one."""
        columns = (entry.c.sequence, entry.c.id, OWN_COUNT.label("record_count"), entry.c.created_at)
        statement = select(*columns).where(entry.c.sequence > after_sequence).order_by(entry.c.sequence).limit(limit)
        return [PendingEntry(**row) for row in await self._connection.fetch_all(statement)]

    async def has_pending_records(self, after_sequence: int) -> bool:
        """Tell whether an entry after the given one has records."""
        wanted = select(entry.c.sequence).where(entry.c.sequence > after_sequence, OWN_COUNT > 0).limit(1)
        return await self._connection.fetch_first(wanted) is not None

    async def list_records(self, scope: Scope, entries: Sequence[PendingEntry]) -> Sequence[ArchivedRecord]:
        """Return all records of these entries; raises InvariantBroken unless each has as many as it says."""
        sequences = {each.id: each.sequence for each in entries}
        missing = {each.id: each.record_count for each in entries}
        found: list[ArchivedRecord] = []
        for ids in split_chunks([each.id for each in entries if each.record_count], PARAMETERS_PER_STATEMENT_MAX):
            is_wanted = self._connection.match_any(usage_record.c.entry_id, ids)
            for row in await self._connection.fetch_all(select_posted().where(VISIBILITY.limit(scope), is_wanted)):
                found.append(ArchivedRecord(sequences[row["entry_id"]], to_posted(row, to_context(row))))
                missing[row["entry_id"]] -= 1
        wrong = [sequences[each] for each, count in missing.items() if count]
        if wrong:
            raise InvariantBroken("an entry has other records than it says", f"entries {wrong[:10]}")
        return found

    async def list_before(self, scope: Scope, cursor: ArchiveCursor, limit: int) -> Sequence[ArchivedRecord]:
        """Return records of before the journal in order of day and id, after those that are archived."""
        place = (usage_record.c.day, usage_record.c.id)
        statement = (
            select_posted()
            .where(VISIBILITY.limit(scope), usage_record.c.entry_id.is_(None))
            .order_by(*place)
            .limit(limit)
        )
        if cursor.before_day is not None:
            statement = statement.where(tuple_(*place) > (cursor.before_day, cursor.before_id))
        return [
            ArchivedRecord(None, to_posted(row, to_context(row))) for row in await self._connection.fetch_all(statement)
        ]

    async def list_day(self, scope: Scope, day: date, ids: Sequence[RecordId]) -> Sequence[ArchivedRecord]:
        """Return those records of a day that are stored and have one of these ids, in no order."""
        is_wanted = (usage_record.c.day == day) & self._connection.match_any(usage_record.c.id, ids)
        statement = (
            select_posted()
            .add_columns(entry.c.sequence.label("entry_sequence"))
            .outerjoin(entry, entry.c.id == usage_record.c.entry_id)
            .where(VISIBILITY.limit(scope), is_wanted)
        )
        rows = await self._connection.fetch_all(statement)
        return [ArchivedRecord(row["entry_sequence"], to_posted(row, to_context(row))) for row in rows]

    async def list_files(self, since: date, until: date) -> Sequence[ArchiveFile]:
        """Return the files of days `since` to `until`, both included, by day and sequence."""
        wanted = select(archive_file).where(IS_LISTED, archive_file.c.day.between(since, until))
        ordered = wanted.order_by(archive_file.c.day, archive_file.c.first_sequence, archive_file.c.name)
        return [ArchiveFile(**row) for row in await self._connection.fetch_all(ordered)]

    async def list_names(self) -> Sequence[str]:
        """Return the names of all files, replaced ones too."""
        return [row["name"] for row in await self._connection.fetch_all(select(archive_file.c.name))]

    async def list_mergeable(self, days_max: int) -> Sequence[ArchiveFile]:
        """Return all files of the newest days that have enough small ones to be worth a look."""
        is_small = archive_file.c.record_count <= ARCHIVE_FILE_RECORDS_MAX // 2
        # Files of a day that takes no more records stay as they are: what was compared is what is kept.
        is_closed = exists().where(archive_file.c.day <= retention.c.closed_through)
        many = (
            select(archive_file.c.day)
            .where(IS_LISTED, is_small, ~is_closed)
            .group_by(archive_file.c.day)
            .having(func.count() >= ARCHIVE_MERGE_FILES)
        )
        days = await self._connection.fetch_all(many.order_by(archive_file.c.day.desc()).limit(days_max))
        wanted = select(archive_file).where(IS_LISTED, archive_file.c.day.in_([row["day"] for row in days]))
        return [ArchiveFile(**row) for row in await self._connection.fetch_all(wanted)]

    async def list_replaced(self) -> Sequence[ArchiveFile]:
        """Return files that others stand for now."""
        return [ArchiveFile(**row) for row in await self._connection.fetch_all(select(archive_file).where(~IS_LISTED))]

    async def add_files(self, files: Sequence[ArchiveFile]) -> None:
        """List new files; raises AlreadyExists if one is listed."""
        if files:
            await self._connection.change(archive_file.insert(), [asdict(each) for each in files])

    async def mark_replaced(self, files: Sequence[ArchiveFile], now: datetime) -> None:
        """Take files out of the list; raises InvariantBroken if one is not in it."""
        is_meant = archive_file.c.name.in_([each.name for each in files])
        count = await self._connection.change(update(archive_file).where(IS_LISTED, is_meant).values(replaced_at=now))
        if count != len(files):
            raise InvariantBroken("only what is listed is replaced", str([each.name for each in files]))

    async def put_digests(self, digests: Mapping[str, str]) -> None:
        """Note the digests of files by name; raises InvariantBroken if one is not listed."""
        for name, sha256 in digests.items():
            is_meant = IS_LISTED & (archive_file.c.name == name)
            if await self._connection.change(update(archive_file).where(is_meant).values(sha256=sha256)) != 1:
                raise InvariantBroken("only a listed file has a digest", name)

    async def delete_files(self, names: Iterable[str]) -> None:
        """Forget files that were replaced."""
        for chunk in split_chunks(names, PARAMETERS_PER_STATEMENT_MAX):
            await self._connection.change(delete(archive_file).where(~IS_LISTED, archive_file.c.name.in_(chunk)))
