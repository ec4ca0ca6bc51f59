"""Files of the archive: what was written comes back, merged or not, in row groups of one order."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest

from keisan.domain.archive import ArchivedRecord, ArchiveFile
from keisan.domain.errors import InvariantBroken
from keisan.domain.ids import EntryId
from keisan.kit.ids import create_id
from keisan.storage import archive_file
from keisan.storage.archive_file import merge_files, read_entries, write_days
from keisan.storage.archive_name import name_folder
from keisan.storage.archive_schema import build_table
from tests.domain.samples import NOW
from tests.storage.archive_world import create_posted


def create_archived(random: Random, sequence: int, count: int) -> list[ArchivedRecord]:
    """Return an entry's records, all of one day."""
    entry_id = EntryId(create_id())
    made = (create_posted(random, entry_id, day=NOW.date()) for _ in range(count))
    return [ArchivedRecord(sequence, each) for each in made]


def sort_archived(records: list[ArchivedRecord]) -> list[ArchivedRecord]:
    return sorted(records, key=lambda each: each.posted.record.id)


def test_merged_files_hold_the_same_records_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_file, "ROW_GROUP_RECORDS", 25)
    monkeypatch.setattr(archive_file, "READ_RECORDS", 10)
    random = Random(2)
    entries = [create_archived(random, sequence, 20) for sequence in range(1, 6)]
    files = [file for entry in entries for file in write_days(tmp_path, [build_table(entry)], NOW)]
    merged = merge_files(tmp_path, files, NOW)
    assert (merged.first_sequence, merged.last_sequence, merged.record_count) == (1, 5, 100)
    assert sort_archived(list(read_entries(tmp_path, [merged], 1, 5))) == sort_archived(
        [each for entry in entries for each in entry]
    )
    assert sort_archived(list(read_entries(tmp_path, [merged], 2, 3))) == sort_archived(entries[1] + entries[2])
    with pq.ParquetFile(tmp_path / merged.name) as file:
        groups = [file.read_row_group(place) for place in range(file.num_row_groups)]
    assert [len(group) for group in groups] == [25, 25, 25, 25]
    for group in groups:
        order = [(row["organization_id"].bytes, row["admitted_at"]) for row in group.to_pylist()]
        assert order == sorted(order)
    assert {path.suffix for path in (tmp_path / name_folder(NOW.date())).iterdir()} == {".parquet"}


def test_merge_that_would_lose_records_puts_no_file_in_place(tmp_path: Path) -> None:
    (file,) = write_days(tmp_path, [build_table(create_archived(Random(1), 1, 3))], NOW)
    wrong = replace(file, record_count=4, last_sequence=9)
    with pytest.raises(InvariantBroken, match="lost"):
        merge_files(tmp_path, [wrong], NOW)
    assert list(tmp_path.rglob("*.parquet")) == [tmp_path / file.name]


def test_same_records_make_the_same_file(tmp_path: Path) -> None:
    records = create_archived(Random(1), 7, 9)
    (first,) = write_days(tmp_path, [build_table(records)], NOW)
    content = (tmp_path / first.name).read_bytes()
    (second,) = write_days(tmp_path, [build_table(records[:4]), build_table(records[4:])], NOW)
    assert second == first
    assert list(read_entries(tmp_path, [first], 0, 9)) == list(read_entries(tmp_path, [second], 0, 9))
    assert len(content) == first.size_bytes
    assert list(tmp_path.rglob("*.parquet")) == [tmp_path / first.name]


def test_files_of_a_folder_are_told_apart_by_name(tmp_path: Path) -> None:
    random = Random(1)
    before = [ArchivedRecord(None, create_posted(random, None, day=NOW.date())) for _ in range(4)]
    files: list[ArchiveFile] = []
    for part in (before[:2], before[2:], create_archived(random, 1, 2), create_archived(random, 2, 2)):
        files += write_days(tmp_path, [build_table(part)], NOW)
    assert len({each.name for each in files}) == 4
    assert sort_archived(list(read_entries(tmp_path, files, 0, 0))) == sort_archived(before)


def test_nothing_makes_no_file(tmp_path: Path) -> None:
    assert write_days(tmp_path, [], NOW) == []
