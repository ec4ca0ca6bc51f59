"""Parts of archived files: in pieces, by entry and by id; what is no Parquet file is told as the disk's fault."""

from pathlib import Path
from random import Random

import pytest

from keisan.domain.archive import ArchivedRecord
from keisan.domain.ids import RecordId
from keisan.kit.ids import create_id
from keisan.storage import archive_file
from keisan.storage.archive_file import merge_files, write_days
from keisan.storage.archive_part import count_ids, find_record, read_entries, read_part
from keisan.storage.archive_schema import build_table
from tests.domain.samples import NOW
from tests.storage.archive_world import create_posted
from tests.storage.test_archive_file import create_archived, sort_archived


def test_parts_entries_and_single_records_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_file, "ROW_GROUP_RECORDS", 25)
    random = Random(2)
    entries = [create_archived(random, sequence, 20) for sequence in range(1, 6)]
    everything = [each for entry in entries for each in entry]
    files = [file for entry in entries for file in write_days(tmp_path, [build_table(entry)], NOW)]
    merged = merge_files(tmp_path, files, NOW)
    read: list[ArchivedRecord] = []
    while part := read_part(tmp_path, merged, len(read), 10):
        assert len(part) <= 10
        read += part
    assert sort_archived(read) == sort_archived(everything)
    assert count_ids(tmp_path, [merged]) == 100
    assert count_ids(tmp_path, files[:2] + files[:1]) == 40
    for where in ([merged], files):
        assert sort_archived(read_entries(tmp_path, where, 2, 3)) == sort_archived(entries[1] + entries[2])
        assert find_record(tmp_path, where, everything[77].posted.record.id) == everything[77]
        assert find_record(tmp_path, where, RecordId(create_id())) is None
        assert read_entries(tmp_path, where, 0, 0) == []


def test_records_of_before_the_journal_are_entry_nought(tmp_path: Path) -> None:
    before = [ArchivedRecord(None, create_posted(Random(3), None, day=NOW.date())) for _ in range(3)]
    files = write_days(tmp_path, [build_table(before)], NOW)
    assert sort_archived(read_entries(tmp_path, files, 0, 0)) == sort_archived(before)
    assert read_entries(tmp_path, files, 1, 9) == []


def test_file_that_is_torn_or_gone_is_an_error_of_the_disk(tmp_path: Path) -> None:
    (file,) = write_days(tmp_path, [build_table(create_archived(Random(1), 1, 3))], NOW)
    (tmp_path / file.name).write_bytes(b"PAR1 and no more")
    with pytest.raises(OSError, match="cannot be read"):
        read_part(tmp_path, file, 0, 1)
    (tmp_path / file.name).unlink()
    with pytest.raises(OSError):
        count_ids(tmp_path, [file])
