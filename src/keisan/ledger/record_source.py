"""Where posted records are: in the database, and those of days that retention has taken out of it in the archive.

Of a day that is read from the archive no row counts, whether it was deleted yet or not: so each record is read once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope, Scope
from keisan.domain.archive import AnalysisKey, ArchiveFile
from keisan.domain.entry import Entry
from keisan.domain.errors import InvariantBroken, NotFound, RecordsArchived
from keisan.domain.ids import ModelId, RecordId
from keisan.domain.retention import is_through
from keisan.domain.usage import PostedRecord, UsageSource, find_day
from keisan.domain.usage_sum import UsageFilter, UsageSum
from keisan.ledger.paging import walk_pages
from keisan.storage.base import Transaction
from keisan.storage.base_archive import Archive, ArchiveSelection

EVERYTHING = PlatformScope()
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class RecordSource:
    """One view's records: `archived_through` is the last day that is read from the archive, None for none.

    `files` are the archived files of those days. Without an archive what lies there is an InvariantBroken.
    """

    view: Transaction
    archive: Archive | None
    archived_through: date | None
    files: Sequence[ArchiveFile]

    def get_archive(self) -> Archive:
        """Return the archive; raises InvariantBroken without one."""
        if self.archive is None:
            raise InvariantBroken("this process has no archive")
        return self.archive

    async def get(self, scope: Scope, record_id: RecordId) -> PostedRecord:
        """Return a record; raises NotFound, also for what lies outside the scope, and StorageUnavailable."""
        day = find_day(record_id)
        if day is None or not is_through(day, self.archived_through):
            return await self.view.usage.get(scope, record_id)
        files = [each for each in self.files if each.day == day]
        found = await self.get_archive().find_record(files, record_id) if files else None
        if found is None or not is_seen(found.posted, scope):
            raise NotFound(f"there is no usage record {record_id}")
        return found.posted

    async def list_entries(self, entries: Sequence[Entry]) -> list[PostedRecord]:
        """Return all records of neighbouring entries of the journal, in no order; raises StorageUnavailable."""
        stored = await self.view.usage.list_entries(EVERYTHING, [entry.id for entry in entries])
        own_ids = {entry.id for entry in entries}
        archived = await self._read_archived(entries[0].sequence, entries[-1].sequence)
        return [*self._drop_archived(stored), *(each for each in archived if each.charge.entry_id in own_ids)]

    async def list_unsealed(self) -> list[PostedRecord]:
        """Return all records of before there was a journal; raises StorageUnavailable."""
        stored = [posted async for posted in walk_pages(self.view.usage.list_unsealed)]
        return [*self._drop_archived(stored), *await self._read_archived(0, 0)]

    async def count(self) -> int:
        """Return how many records there are: those that are stored, and those that files are listed with."""
        stored_count = await self.view.usage.count(EVERYTHING, self.archived_through)
        return stored_count + sum(each.record_count for each in self.files)

    async def sum(self, scope: Scope, wanted: UsageFilter) -> Sequence[UsageSum]:
        """Return sums by model, currency and usage source, in that order.

        Raises LimitExceeded, StorageUnavailable as the archive's sums do.
        """
        if self.archived_through is None or wanted.since > self.archived_through:
            return await self.view.usage.sum(scope, wanted)
        stored = (
            await self.view.usage.sum(scope, self._cut_filter(wanted)) if wanted.until > self.archived_through else ()
        )
        files = [each for each in self.files if wanted.since <= each.day <= wanted.until]
        until = min(wanted.until, self.archived_through)
        lines = await self.get_archive().sum(ArchiveSelection(scope, files, wanted.since, until), _list_keys(wanted))
        sums: dict[tuple[ModelId, str, UsageSource], UsageSum] = {}
        archived = (
            UsageSum(
                ModelId(UUID(line.group[AnalysisKey.MODEL])),
                line.currency,
                UsageSource(line.group[AnalysisKey.USAGE_SOURCE]),
                line.call_count,
                line.quantities,
                line.amount_nano,
            )
            for line in lines
            if _is_wanted(line.group, wanted)
        )
        for each in (*stored, *archived):
            key = (each.model_id, each.currency, each.usage_source)
            before = sums.get(key)
            sums[key] = each if before is None else _add_sums(before, each)
        return [sums[key] for key in sorted(sums)]

    def require_stored(self, wanted: UsageFilter) -> None:
        """Raise RecordsArchived if some of the wanted days are read from the archive."""
        if self.archived_through is not None and wanted.since <= self.archived_through:
            raise RecordsArchived(
                f"records of days through {self.archived_through} are in the archive: ask for later days, for one record by "
                "its id, or for an export"
            )

    def _cut_filter(self, wanted: UsageFilter) -> UsageFilter:
        assert self.archived_through is not None
        return replace(wanted, since=max(wanted.since, self.archived_through + ONE_DAY))

    def _drop_archived(self, stored: Sequence[PostedRecord]) -> Sequence[PostedRecord]:
        if self.archived_through is None:
            return stored
        return [each for each in stored if not is_through(each.record.day, self.archived_through)]

    async def _read_archived(self, first: int, last: int) -> list[PostedRecord]:
        files = [each for each in self.files if each.first_sequence <= last and each.last_sequence >= first]
        if not files:
            return []
        return [each.posted for each in await self.get_archive().read_entries(files, first, last)]


async def open_records(view: Transaction, archive: Archive | None) -> RecordSource:
    """Return where a view's records are."""
    through = (await view.retention.get_mark(EVERYTHING)).archived_through
    files = () if through is None else await view.archive.list_files(date.min, through)
    return RecordSource(view, archive, through, files)


def is_seen(posted: PostedRecord, scope: Scope) -> bool:
    """Tell whether a scope sees a record: its organization, and its provider."""
    if isinstance(scope, OrganizationScope):
        return posted.record.context.organization_id == scope.organization_id
    if isinstance(scope, ProviderScope):
        return posted.record.context.provider_id == scope.provider_id
    return True


def _list_keys(wanted: UsageFilter) -> list[AnalysisKey]:
    """Return what to sum by: model and source, and whatever the filter looks at."""
    narrowed = ((AnalysisKey.PROJECT, wanted.project_id), (AnalysisKey.KEY, wanted.key_id))
    return [AnalysisKey.MODEL, AnalysisKey.USAGE_SOURCE, *(key for key, value in narrowed if value is not None)]


def _is_wanted(group: Mapping[AnalysisKey, str], wanted: UsageFilter) -> bool:
    narrowed = (
        (AnalysisKey.PROJECT, wanted.project_id),
        (AnalysisKey.KEY, wanted.key_id),
        (AnalysisKey.MODEL, wanted.model_id),
    )
    return all(value is None or group[key] == str(value) for key, value in narrowed)


def _add_sums(left: UsageSum, right: UsageSum) -> UsageSum:
    quantities = {
        token_class: left.quantities.get(token_class, 0) + right.quantities.get(token_class, 0)
        for token_class in (*left.quantities, *right.quantities)
    }
    return replace(
        left,
        call_count=left.call_count + right.call_count,
        quantities=quantities,
        amount_nano=left.amount_nano + right.amount_nano,
    )
