"""Exports: every record within the scope once, in each format, piece by piece."""

import csv
import io
import json
from datetime import UTC
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope, Scope
from keisan.domain.archive import ArchivedRecord, ExportFormat
from keisan.domain.errors import StorageUnavailable
from keisan.domain.ids import EntryId
from keisan.domain.usage import PostedRecord
from keisan.kit.ids import create_id
from keisan.storage import archive_export
from keisan.storage.archive_export import EXPORT_NAMES, export_records
from keisan.storage.archive_file import write_days
from keisan.storage.archive_schema import build_table
from keisan.storage.base_archive import ArchiveSelection
from tests.domain.samples import NOW
from tests.storage.archive_world import FIRST_DAY, LAST_DAY, ORGANIZATION_IDS, PROVIDER_IDS, create_posted


def read_rows(content: bytes, written_as: ExportFormat) -> list[dict[str, object]]:
    if written_as is ExportFormat.CSV:
        return list(csv.DictReader(io.StringIO(content.decode())))
    if written_as is ExportFormat.JSONL:
        return [json.loads(line) for line in content.splitlines()]
    return pq.read_table(pa.BufferReader(content)).to_pylist()  # type: ignore[no-any-return]  # rows of any values


def describe(posted: PostedRecord) -> tuple[str, ...]:
    """Return what each format must tell the same of a record."""
    record = posted.record
    context = record.context
    ids = (record.id, context.organization_id, context.model_id, posted.charge.entry_id)
    return (*map(str, ids), str(record.amount_nano), record.outcome, f"{record.admitted_at:%Y-%m-%dT%H:%M:%S.%fZ}")


def describe_row(row: dict[str, object]) -> tuple[str, ...]:
    at = row["admitted_at"]
    shown = at if isinstance(at, str) else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"  # type: ignore[attr-defined]  # an instant
    names = ("id", "organization_id", "model_id", "entry_id", "amount_nano", "outcome")
    return (*(str(row[name]) for name in names), shown)


@pytest.mark.parametrize("written_as", list(ExportFormat))
@pytest.mark.parametrize(
    "scope", [PlatformScope(), OrganizationScope(ORGANIZATION_IDS[1]), ProviderScope(PROVIDER_IDS[1])]
)
def test_each_record_in_scope_is_exported_once(
    tmp_path: Path, written_as: ExportFormat, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_export, "EXPORT_BATCH_RECORDS_MAX", 2048)
    random, entry_id = Random(1), EntryId(create_id())
    posted = [create_posted(random, entry_id) for _ in range(300)]
    files = write_days(tmp_path, [build_table([ArchivedRecord(1, each) for each in posted])], NOW)
    selection = ArchiveSelection(scope, files, FIRST_DAY, LAST_DAY)
    rows = read_rows(b"".join(export_records(tmp_path, selection, written_as)), written_as)
    seen = [
        each
        for each in posted
        if scope in (PlatformScope(), OrganizationScope(each.record.context.organization_id))
        or scope == ProviderScope(each.record.context.provider_id)
    ]
    assert sorted(map(describe_row, rows)) == sorted(map(describe, seen))
    assert len(seen) > 0
    assert all(set(row) == set(EXPORT_NAMES) for row in rows)


@pytest.mark.parametrize("written_as", list(ExportFormat))
def test_nothing_is_a_whole_file_too(tmp_path: Path, written_as: ExportFormat) -> None:
    selection = ArchiveSelection(PlatformScope(), [], FIRST_DAY, LAST_DAY)
    assert read_rows(b"".join(export_records(tmp_path, selection, written_as)), written_as) == []


def test_file_that_is_gone_is_told(tmp_path: Path) -> None:
    files = write_days(tmp_path, [build_table([ArchivedRecord(1, create_posted(Random(1), None))])], NOW)
    (tmp_path / files[0].name).unlink()
    selection = ArchiveSelection(PlatformScope(), files, FIRST_DAY, LAST_DAY)
    with pytest.raises(StorageUnavailable):
        list(export_records(tmp_path, selection, ExportFormat.JSONL))
