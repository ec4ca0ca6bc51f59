"""Retention of usage records, day by day, the oldest first: closed, compared with the archive, read there, deleted.

One bounded thing in each round, each step in one transaction with the mark that says so; whatever is in doubt stays. A day
that is closed takes no more records, so what was compared is what is deleted, and none can be posted a second time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from keisan.control.context import CONTROL_ACTOR
from keisan.control.reconcilers.retention import describe_deletion
from keisan.control.retention import EVERYTHING, ExaminedDay, examine_day
from keisan.domain.archive import ArchiveFile
from keisan.domain.event import EventDraft
from keisan.domain.limits import ARCHIVE_KEPT_S, RETENTION_INTERVAL_S, RETENTION_ROWS_MAX
from keisan.domain.retention import DayCheck, RetentionKind, RetentionMark, RetentionTerms
from keisan.kit.clock import Clock
from keisan.ledger.rule_retention import RetentionStep, choose_step, compare_files
from keisan.storage.base import Storage, Transaction
from keisan.storage.base_archive import Archive


@dataclass(frozen=True, slots=True)
class DayState:
    """How far it has come, and the oldest day that is stored."""

    mark: RetentionMark
    oldest: date | None


@dataclass(frozen=True, slots=True)
class DayChange:
    """What to do, and what came of it: the mark to write, and digests of files that were found equal.

    `is_idle`: there is nothing to do before a while is over. `day` is the one that the step is about.
    """

    step: RetentionStep
    mark: RetentionMark
    day: date | None
    digests: dict[str, str] | None = None
    record_count: int = 0
    is_idle: bool = False


@dataclass(frozen=True, slots=True)
class RetentionDayReconciler:
    """Takes one day after the other out of the database."""

    storage: Storage
    archive: Archive
    clock: Clock
    terms: RetentionTerms

    async def load(self, transaction: Transaction, _noun_id: UUID) -> DayState:
        """Return the mark and the oldest day."""
        mark = await transaction.retention.get_mark(EVERYTHING)
        return DayState(mark, await transaction.retention.find_oldest_day(EVERYTHING, mark.deleted_through))

    def decide(self, state: DayState, now: datetime) -> DayChange:
        """Choose the next step."""
        step = choose_step(state.mark, state.oldest, self.terms, now)
        day = state.mark.archived_through if step is RetentionStep.DELETE else state.oldest
        return DayChange(step, state.mark, day, is_idle=step is RetentionStep.REST)

    async def perform(self, change: DayChange) -> DayChange:
        """Examine, compare or look at files again, outside of the transaction that writes; raises StorageUnavailable."""
        if change.day is None or change.step is RetentionStep.REST:
            return change
        match change.step:
            case RetentionStep.CLOSE:
                return await self._close(change, change.day)
            case RetentionStep.BEGIN_CHECK:
                return await self._begin_check(change, change.day)
            case RetentionStep.CHECK:
                return await self._check(change, change.day)
            case _:
                return await self._look_again(change, change.day)

    async def apply(self, transaction: Transaction, change: DayChange, now: datetime) -> datetime:
        """Write the mark and what follows from it, and return when to go on."""
        before = await transaction.retention.get_mark(EVERYTHING)
        mark, detail = change.mark, {"day": str(change.day), "record_count": str(change.record_count)}
        if change.digests is not None:
            await transaction.archive.put_digests(change.digests)
            mark = replace(mark, archived_at=now)
        await transaction.retention.put_mark(mark)
        if change.step is RetentionStep.DELETE and not change.is_idle:
            assert change.day is not None
            if await transaction.retention.delete_day(change.day, RETENTION_ROWS_MAX):
                await transaction.retention.put_mark(replace(mark, deleted_through=change.day, fault=""))
                await transaction.events.append(describe_deletion(self.terms, RetentionKind.USAGE, detail))
        if mark.closed_through != before.closed_through:
            await transaction.events.append(EventDraft(CONTROL_ACTOR, "retention.day_closed", None, detail))
        if mark.fault and mark.fault != before.fault:
            fault = {"day": str(change.day), "fault": mark.fault}
            await transaction.events.append(EventDraft(CONTROL_ACTOR, "retention.day_held", None, fault))
        return _find_next(mark, now) if change.is_idle else now

    async def _close(self, change: DayChange, day: date) -> DayChange:
        examined = await self._examine(day)
        if examined.hold is not None:
            return replace(change, is_idle=True)
        mark = replace(change.mark, closed_through=day)
        return replace(change, mark=mark, record_count=examined.facts.stored_count)

    async def _begin_check(self, change: DayChange, day: date) -> DayChange:
        # Whoever inserted before the day was closed is done then, and whoever comes later sees that it is.
        async with self.storage.write() as transaction:
            await transaction.statement_records.await_posting()
        examined = await self._examine(day)
        if examined.hold is not None:
            return replace(change, is_idle=True)
        names = tuple(each.name for each in examined.files)
        return replace(change, mark=replace(change.mark, check=DayCheck(day, names)))

    async def _check(self, change: DayChange, day: date) -> DayChange:
        check = change.mark.check
        assert check is not None
        async with self.storage.read() as view:
            files = await view.archive.list_files(day, day)
        if tuple(each.name for each in files) != check.names:
            # Merged meanwhile: what was compared is not what is listed.
            return replace(change, mark=replace(change.mark, check=None))
        if check.file_place == len(files):
            return await self._finish_check(change, check, files)
        file = files[check.file_place]
        part = await self.archive.read_part(file, check.row_place, RETENTION_ROWS_MAX)
        if not part:
            return replace(
                change,
                mark=replace(change.mark, check=replace(check, file_place=check.file_place + 1, row_place=0)),
            )
        async with self.storage.read() as view:
            stored = await view.archive.list_day(EVERYTHING, day, [each.posted.record.id for each in part])
        by_id = {each.posted.record.id: each for each in stored}
        for each in part:
            if by_id.get(each.posted.record.id) != each:
                return _hold(change, f"{file.name}: record {each.posted.record.id} is not the stored one")
        further = replace(check, row_place=check.row_place + len(part), record_count=check.record_count + len(part))
        return replace(change, mark=replace(change.mark, check=further))

    async def _finish_check(self, change: DayChange, check: DayCheck, files: Sequence[ArchiveFile]) -> DayChange:
        """Let the day be read from the archive if every stored record was found equal, and once."""
        examined = await self._examine(check.day)
        if examined.hold is not None:
            return replace(change, mark=replace(change.mark, check=None), is_idle=True)
        counts = (examined.facts.stored_count, check.record_count, await self.archive.count_ids(files))
        if len(set(counts)) != 1:
            return _hold(change, f"{counts[0]} records are stored, {counts[1]} archived, {counts[2]} of them different")
        digests = dict(await self.archive.digest(files))
        if set(digests) != set(check.names):
            return _hold(change, f"of {len(files)} files {len(digests)} are there")
        mark = replace(change.mark, archived_through=check.day, check=None, fault="")
        return replace(change, mark=mark, digests=digests)

    async def _look_again(self, change: DayChange, day: date) -> DayChange:
        """Look before each deletion whether the files are what they were, byte for byte."""
        async with self.storage.read() as view:
            files = await view.archive.list_files(day, day)
            stored_count = await view.retention.count_day(EVERYTHING, day)
        archived_count = sum(each.record_count for each in files)
        fault = compare_files(files, await self.archive.digest(files))
        if not fault:
            return replace(change, record_count=archived_count)
        mark = replace(change.mark, fault=fault)
        if stored_count == archived_count:
            # All of it is stored still, so it is read there again, and compared anew.
            mark = replace(mark, archived_through=mark.deleted_through, archived_at=None)
        return replace(change, mark=mark, is_idle=True)

    async def _examine(self, day: date) -> ExaminedDay:
        async with self.storage.read() as view:
            return await examine_day(view, day, self.clock.now())


def _hold(change: DayChange, fault: str) -> DayChange:
    return replace(change, mark=replace(change.mark, check=None, fault=fault), is_idle=True)


def _find_next(mark: RetentionMark, now: datetime) -> datetime:
    later = now + timedelta(seconds=RETENTION_INTERVAL_S)
    if mark.archived_at is None or mark.archived_through == mark.deleted_through:
        return later
    ripe = mark.archived_at + timedelta(seconds=ARCHIVE_KEPT_S)
    return min(later, ripe) if ripe > now else later
