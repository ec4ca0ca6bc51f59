"""Decisions of the archive, on values: which entries go into the next files, which files are merged, which may go."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from keisan.domain.archive import ArchiveFile, PendingEntry
from keisan.domain.limits import (
    ARCHIVE_FILE_RECORDS_MAX,
    ARCHIVE_KEPT_S,
    ARCHIVE_MERGE_FILES,
    ARCHIVE_RUN_RECORDS_MAX,
)


def choose_entries(pending: Sequence[PendingEntry]) -> Sequence[PendingEntry]:
    """Return the entries of the next run: the first ones, as many as have ARCHIVE_RUN_RECORDS_MAX records, at least one."""
    count = 0
    chosen: list[PendingEntry] = []
    for entry in pending:
        count += entry.record_count
        if chosen and count > ARCHIVE_RUN_RECORDS_MAX:
            break
        chosen.append(entry)
    return chosen


def split_entries(entries: Iterable[PendingEntry], records_max: int) -> Iterator[Sequence[PendingEntry]]:
    """Yield entries in parts of at most so many records, or of one entry."""
    part: list[PendingEntry] = []
    count = 0
    for entry in entries:
        if part and count + entry.record_count > records_max:
            yield part
            part, count = [], 0
        part.append(entry)
        count += entry.record_count
    if part:
        yield part


def choose_merge(files: Iterable[ArchiveFile]) -> Sequence[ArchiveFile]:
    """Return files of one day to make one file of, none if that is not worth it.

    They are neighbours in the journal, so that files of a day never overlap. Small ones go first, and a file at least
    doubles: a record is written anew a few times in all.
    """
    # Records of before the journal were written in large files, which have no place in it.
    ordered = sorted(
        (each for each in files if each.first_sequence > 0), key=lambda each: (each.day, each.first_sequence)
    )
    runs = [run for _, day in groupby(ordered, key=lambda each: each.day) for run in _split_runs(list(day))]
    return min(runs, key=lambda run: sum(each.record_count for each in run), default=())


def _split_runs(ordered: Sequence[ArchiveFile]) -> Iterator[Sequence[ArchiveFile]]:
    """Yield neighbours that are worth a merge: none has more than half of what they come to."""
    for start in range(len(ordered) - ARCHIVE_MERGE_FILES + 1):
        run = ordered[start : start + ARCHIVE_MERGE_FILES]
        count = sum(each.record_count for each in run)
        if count <= ARCHIVE_FILE_RECORDS_MAX and max(each.record_count for each in run) * 2 <= count:
            yield run


def choose_expired(replaced: Iterable[ArchiveFile], now: datetime) -> Sequence[ArchiveFile]:
    """Return replaced files that nobody can be reading any more."""
    kept_since = now - timedelta(seconds=ARCHIVE_KEPT_S)
    return [each for each in replaced if each.replaced_at is not None and each.replaced_at <= kept_since]
