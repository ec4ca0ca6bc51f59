"""Which entries go into a run, which files are merged, which may go."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from random import Random

import pytest

from keisan.domain.archive import ArchiveFile, PendingEntry
from keisan.domain.ids import EntryId
from keisan.domain.limits import ARCHIVE_FILE_RECORDS_MAX, ARCHIVE_KEPT_S, ARCHIVE_MERGE_FILES
from keisan.ledger import archive
from keisan.ledger.archive import choose_entries, choose_expired, choose_merge, split_entries
from tests.domain.samples import NOW, name_id

DAY = date(2026, 11, 23)


def build_entries(*counts: int) -> list[PendingEntry]:
    return [PendingEntry(place, EntryId(name_id(1, place)), count, NOW) for place, count in enumerate(counts, 1)]


def build_files(*counts: int, day: date = DAY, first: int = 1) -> list[ArchiveFile]:
    return [
        ArchiveFile(f"{day}/{place}", day, place, place, count, 1, NOW) for place, count in enumerate(counts, first)
    ]


@pytest.mark.parametrize(
    ("counts", "chosen"),
    [((), 0), ((0,), 1), ((9, 1), 2), ((9, 2), 1), ((99, 1), 1), ((5, 5, 0, 1), 3)],
)
def test_run_is_full_but_never_empty(counts: tuple[int, ...], chosen: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "ARCHIVE_RUN_RECORDS_MAX", 10)
    entries = build_entries(*counts)
    assert list(choose_entries(entries)) == entries[:chosen]


def test_entries_are_split_whole_and_in_order() -> None:
    entries = build_entries(3, 3, 5, 0, 1, 20, 2)
    parts = list(split_entries(entries, 6))
    assert [each for part in parts for each in part] == entries
    assert [[each.record_count for each in part] for part in parts] == [[3, 3], [5, 0, 1], [20], [2]]
    assert list(split_entries([], 6)) == []


def test_neighbours_of_one_day_are_merged_smallest_first() -> None:
    large, small = build_files(*[50] * ARCHIVE_MERGE_FILES), build_files(*[1] * ARCHIVE_MERGE_FILES, first=100)
    assert list(choose_merge([*large, *small])) == small
    assert list(choose_merge(large)) == large
    assert choose_merge(large[1:]) == ()
    # Half of them on another day are not enough of either.
    half = ARCHIVE_MERGE_FILES // 2
    assert choose_merge([*small[:half], *build_files(*[1] * half, day=DAY + timedelta(days=1))]) == ()


def test_large_file_is_not_written_anew_for_a_little_more() -> None:
    rest = [1] * (ARCHIVE_MERGE_FILES - 1)
    assert choose_merge(build_files(sum(rest), *rest))
    assert choose_merge(build_files(sum(rest) + 1, *rest)) == ()


def test_no_file_becomes_too_large() -> None:
    share = ARCHIVE_FILE_RECORDS_MAX // ARCHIVE_MERGE_FILES
    assert choose_merge(build_files(*[share] * ARCHIVE_MERGE_FILES))
    assert choose_merge(build_files(*[share + 1] * ARCHIVE_MERGE_FILES)) == ()


def test_records_of_before_the_journal_stay_where_they_are() -> None:
    before = [replace(each, first_sequence=0, last_sequence=0) for each in build_files(*[1] * ARCHIVE_MERGE_FILES)]
    assert choose_merge(before) == ()


def test_a_day_of_small_files_stays_few_and_is_written_anew_a_few_times() -> None:
    random, files, written, appended = Random(1), list[ArchiveFile](), 0, 0
    for minute in range(1, 1441):
        count = random.randrange(1, 500)
        files += build_files(count, first=minute)
        appended += count
        while merged := choose_merge(files):
            count = sum(each.record_count for each in merged)
            whole = replace(merged[0], last_sequence=merged[-1].last_sequence, record_count=count)
            files = [each for each in files if each not in merged] + [whole]
            written += count
            ordered = sorted(files, key=lambda each: each.first_sequence)
            assert all(one.last_sequence < two.first_sequence for one, two in pairwise(ordered))
    assert sum(each.record_count for each in files) == appended
    assert len(files) <= 40
    assert written <= 8 * appended


def test_replaced_files_go_when_nobody_can_be_reading_them() -> None:
    (file,) = build_files(1)
    at = NOW + timedelta(seconds=ARCHIVE_KEPT_S)
    replaced = replace(file, replaced_at=NOW)
    assert choose_expired([replaced], at) == [replaced]
    assert choose_expired([replaced], at - timedelta(microseconds=1)) == []
    assert choose_expired([file], at) == []
