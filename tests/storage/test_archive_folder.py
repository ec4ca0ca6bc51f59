"""The folder of files as the platform uses it: bounded, off the event loop, and imported only where it is used."""

import asyncio
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from keisan.domain.access import PlatformScope
from keisan.domain.archive import AnalysisKey, ArchivedRecord, ExportFormat
from keisan.domain.errors import LimitExceeded, StorageUnavailable
from keisan.domain.ids import EntryId
from keisan.domain.limits import EXPORT_TIMEOUT_S, EXPORTS_AT_ONCE_MAX
from keisan.kit.ids import create_id
from keisan.storage import archive_folder, archive_query
from keisan.storage.archive_folder import ArchiveFolder
from keisan.storage.base_archive import ArchiveSelection
from tests.domain.samples import NOW
from tests.factories import FixedClock
from tests.storage.archive_world import FIRST_DAY, LAST_DAY, create_posted


async def write_some(folder: ArchiveFolder, count: int = 20) -> ArchiveSelection:
    random, writer = Random(1), folder.open_writer()
    await writer.add([])
    await writer.add([ArchivedRecord(1, create_posted(random, EntryId(create_id()))) for _ in range(count)])
    files = await writer.finish(NOW)
    assert await writer.finish(NOW) == []
    return ArchiveSelection(PlatformScope(), files, FIRST_DAY, LAST_DAY)


async def test_file_is_removed_once(tmp_path: Path) -> None:
    folder = ArchiveFolder(tmp_path, FixedClock())
    selection = await write_some(folder)
    names = [each.name for each in selection.files]
    for _ in range(2):
        await folder.remove(names)
    assert list(tmp_path.rglob("*.parquet")) == []


async def test_disk_that_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageUnavailable):
        await write_some(ArchiveFolder(tmp_path / "file", FixedClock()))


async def test_analysis_that_takes_too_long_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = ArchiveFolder(tmp_path, FixedClock())
    selection = await write_some(folder)
    monkeypatch.setattr(archive_folder, "ANALYSIS_TIMEOUT_S", 0.2)
    # As good as endless, and DuckDB's own.
    monkeypatch.setattr(
        archive_query,
        "write_sum",
        lambda *_: "SELECT count(*) FROM range(10000000000) a, range(100) b, read_parquet(?) WHERE ? <= ?",
    )
    before = asyncio.get_running_loop().time()
    with pytest.raises(StorageUnavailable, match="longer"):
        await folder.sum(selection, [AnalysisKey.DAY])
    # The thread ends too, or the loop's executor would wait for it.
    await asyncio.get_running_loop().shutdown_default_executor()
    assert asyncio.get_running_loop().time() - before < 20


async def test_exports_are_bounded_in_number_and_time(tmp_path: Path) -> None:
    clock = FixedClock()
    folder = ArchiveFolder(tmp_path, clock)
    selection = await write_some(folder)
    running = [folder.export(selection, ExportFormat.CSV) for _ in range(EXPORTS_AT_ONCE_MAX)]
    for each in running:
        await anext(each)
    with pytest.raises(LimitExceeded):
        await anext(folder.export(selection, ExportFormat.CSV))
    for each in running[1:]:
        await each.aclose()
    await clock.sleep(EXPORT_TIMEOUT_S + 1)
    with pytest.raises(StorageUnavailable, match="longer"):
        await anext(running[0])
    pieces = [piece async for piece in folder.export(selection, ExportFormat.CSV)]
    assert len(b"".join(pieces).splitlines()) == 21


def test_starting_a_platform_loads_no_engine_for_questions() -> None:
    text = "import sys, keisan.daemon.platform; print({'duckdb'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"
