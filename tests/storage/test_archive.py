"""The archive on both databases: each record once, whatever its day, and the list of files as the cursor says."""

from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from keisan.domain.access import PlatformScope
from keisan.domain.archive import AnalysisKey, ArchiveCursor, PendingEntry
from keisan.domain.errors import InvariantBroken
from keisan.domain.ids import EntryId
from keisan.domain.usage_sum import UsageFilter
from keisan.kit.ids import create_id
from keisan.storage.base_archive import ArchiveSelection
from keisan.storage.database import Database
from tests.domain.samples import NOW
from tests.factories import FixedClock
from tests.storage.archive_world import FIRST_DAY, LAST_DAY, ArchiveWorld

EVERYTHING = PlatformScope()


@pytest.fixture
async def archive_world(storage: Database, clock: FixedClock, tmp_path: Path) -> ArchiveWorld:
    """Some entries over some days, and records of before the journal."""
    world = ArchiveWorld(storage, clock, tmp_path / "archive", Random(5))
    await world.prepare()
    await world.post_before(15)
    for count in (30, 1, 0, 25):
        await world.post(count)
    return world


async def test_each_record_is_archived_once_as_it_was_posted(archive_world: ArchiveWorld) -> None:
    await archive_world.run()
    await archive_world.check_each_once()
    await archive_world.post(7)
    await archive_world.run()
    await archive_world.check_each_once()
    files = await archive_world.list_files()
    assert sum(each.record_count for each in files) == len(archive_world.posted)
    assert all((archive_world.root / each.name).stat().st_size == each.size_bytes for each in files)
    async with archive_world.storage.read() as view:
        assert await view.archive.list_files(LAST_DAY, LAST_DAY) == [each for each in files if each.day == LAST_DAY]
        assert sorted(await view.archive.list_names()) == sorted(each.name for each in files)


async def test_entries_of_a_range_are_read_for_an_audit(archive_world: ArchiveWorld) -> None:
    await archive_world.run()
    async with archive_world.storage.read() as view:
        pending = await view.archive.list_pending(0, 10)
        for entry in pending:
            stored = await view.usage.list_entry(EVERYTHING, entry.id)
            files = await view.archive.list_files(FIRST_DAY, LAST_DAY)
            found = list(archive_world.folder.read_records(files, entry.sequence, entry.sequence))
            assert sorted((each.posted for each in found), key=lambda each: each.record.id) == list(stored)
    assert [each.record_count for each in pending] == [30, 1, 0, 25]


async def test_entries_wait_for_the_archive_only_with_records(archive_world: ArchiveWorld) -> None:
    async def has_pending() -> bool:
        async with archive_world.storage.read() as view:
            return await view.archive.has_pending_records((await view.archive.get_cursor()).last_sequence)

    assert await has_pending()
    await archive_world.run()
    await archive_world.post(0)
    assert not await has_pending()
    await archive_world.post(1)
    await archive_world.post(0)
    assert await has_pending()


async def test_entry_whose_records_are_not_all_there_is_not_archived(archive_world: ArchiveWorld) -> None:
    wrong = PendingEntry(9, EntryId(create_id()), 1, NOW)
    async with archive_world.storage.read() as view:
        with pytest.raises(InvariantBroken, match="other records"):
            await view.archive.list_records(PlatformScope(), [wrong])


async def test_cursor_is_kept(storage: Database) -> None:
    async with storage.read() as view:
        assert await view.archive.get_cursor() == ArchiveCursor()
    for sequence in (3, 9):
        cursor = ArchiveCursor(sequence, NOW, is_before_done=True, archived_at=NOW, swept_at=NOW)
        async with storage.write() as transaction:
            await transaction.archive.put_cursor(cursor)
        async with storage.read() as view:
            assert await view.archive.get_cursor() == cursor


async def test_days_with_many_small_files_are_worth_a_look(
    archive_world: ArchiveWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await archive_world.run()
    files = await archive_world.list_files()
    counts = {day: sum(each.day == day for each in files) for day in {each.day for each in files}}
    monkeypatch.setattr("keisan.storage.archive.ARCHIVE_MERGE_FILES", max(counts.values()))
    async with archive_world.storage.read() as view:
        found = {each.day for each in await view.archive.list_mergeable(9)}
        assert found == {day for day, count in counts.items() if count == max(counts.values())}
        assert {each.day for each in await view.archive.list_mergeable(1)} == {max(found)}
        monkeypatch.setattr("keisan.storage.archive.ARCHIVE_FILE_RECORDS_MAX", 0)
        assert await view.archive.list_mergeable(9) == []


async def test_usage_is_summed_as_the_database_sums_it(archive_world: ArchiveWorld) -> None:
    await archive_world.run()
    for since, until in ((FIRST_DAY, LAST_DAY), (LAST_DAY - timedelta(days=1), LAST_DAY)):
        async with archive_world.storage.read() as view:
            stored = await view.usage.sum(EVERYTHING, UsageFilter(since, until))
            files = await view.archive.list_files(since, until)
        selection = ArchiveSelection(EVERYTHING, files, since, until)
        lines = await archive_world.folder.sum(selection, [AnalysisKey.MODEL, AnalysisKey.USAGE_SOURCE])
        model, source = AnalysisKey.MODEL, AnalysisKey.USAGE_SOURCE
        assert {
            (line.group[model], line.currency, line.group[source]): (line.call_count, line.quantities, line.amount_nano)
            for line in lines
        } == {
            (str(each.model_id), each.currency, str(each.usage_source)): (
                each.call_count,
                each.quantities,
                each.amount_nano,
            )
            for each in stored
        }
        assert len(stored) > 10
