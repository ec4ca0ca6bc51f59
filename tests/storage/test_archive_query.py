"""Sums over the archive: exact, by any keys, and never beyond the scope."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from random import Random

import duckdb
import pytest

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope, Scope
from keisan.domain.archive import AnalysisKey, AnalysisLine, ArchivedRecord, ArchiveFile
from keisan.domain.errors import LimitExceeded, StorageUnavailable
from keisan.domain.ids import EntryId, OrganizationId
from keisan.domain.usage import PostedRecord
from keisan.kit.ids import create_id
from keisan.storage import archive_query
from keisan.storage.archive_file import write_days
from keisan.storage.archive_query import open_engine, sum_records
from keisan.storage.archive_schema import build_table
from keisan.storage.base_archive import ArchiveSelection
from tests.domain.samples import NOW
from tests.storage.archive_world import FIRST_DAY, LAST_DAY, ORGANIZATION_IDS, PROVIDER_IDS, create_posted

EVERYTHING = PlatformScope()
READ_KEYS: Mapping[AnalysisKey, Callable[[PostedRecord], object]] = {
    AnalysisKey.DAY: lambda each: each.record.day,
    AnalysisKey.HOUR: lambda each: f"{each.record.admitted_at:%Y-%m-%dT%H:00:00Z}",
    AnalysisKey.ORGANIZATION: lambda each: each.record.context.organization_id,
    AnalysisKey.PROJECT: lambda each: each.record.context.project_id,
    AnalysisKey.KEY: lambda each: each.record.context.key_id,
    AnalysisKey.MODEL: lambda each: each.record.context.model_id,
    AnalysisKey.PROVIDER: lambda each: each.record.context.provider_id,
    AnalysisKey.SITE: lambda each: each.record.context.site_id,
    AnalysisKey.CHIP: lambda each: each.charge.chip,
    AnalysisKey.USAGE_SOURCE: lambda each: each.record.usage_source,
    AnalysisKey.OUTCOME: lambda each: each.record.outcome,
    AnalysisKey.SURFACE: lambda each: each.record.surface,
}


def write_archive(root: Path, posted: list[PostedRecord]) -> list[ArchiveFile]:
    return write_days(root, [build_table([ArchivedRecord(1, each) for each in posted])], NOW)


def sum_up(root: Path, selection: ArchiveSelection, *keys: AnalysisKey) -> list[AnalysisLine]:
    with open_engine(root) as engine:
        return sum_records(engine, root, selection, keys)


def expect(posted: list[PostedRecord], keys: tuple[AnalysisKey, ...]) -> dict[tuple[str, ...], tuple[object, ...]]:
    """Return the sums as Python makes them."""
    counts: Counter[tuple[str, ...]] = Counter()
    amounts: Counter[tuple[str, ...]] = Counter()
    quantities: dict[tuple[str, ...], Counter[object]] = {}
    for each in posted:
        group = (*(str(READ_KEYS[key](each)) for key in keys), each.charge.currency)
        counts[group] += 1
        amounts[group] += each.record.amount_nano
        own = quantities.setdefault(group, Counter())
        for token_class, count in each.record.quantities.items():
            own[token_class] += count
    return {group: (counts[group], dict(quantities[group]), amounts[group]) for group in counts}


def fold(lines: list[AnalysisLine]) -> dict[tuple[str, ...], tuple[object, ...]]:
    return {
        (*line.group.values(), line.currency): (line.call_count, dict(line.quantities), line.amount_nano)
        for line in lines
    }


@pytest.mark.parametrize("seed", range(6))
def test_sums_are_exact_by_any_keys(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    posted = [create_posted(random, EntryId(create_id())) for _ in range(200)]
    files = write_archive(tmp_path, posted)
    for _ in range(4):
        keys = tuple(random.sample(list(AnalysisKey), random.randrange(1, 4)))
        lines = sum_up(tmp_path, ArchiveSelection(EVERYTHING, files, FIRST_DAY, LAST_DAY), *keys)
        assert fold(lines) == expect(posted, keys)
        assert all(list(line.group) == list(keys) for line in lines)
    assert set(READ_KEYS) == set(AnalysisKey)


def test_sum_of_amounts_beyond_128_bits_is_exact(tmp_path: Path) -> None:
    random = Random(1)
    posted = [
        create_posted(random, EntryId(create_id()), amount_nano=10**36 - random.randrange(10**20)) for _ in range(800)
    ]
    assert sum(each.record.amount_nano for each in posted) > 2**128
    files = write_archive(tmp_path, posted)
    # The plain sum is refused, not wrong.
    names = [str(tmp_path / each.name) for each in files]
    with open_engine(tmp_path) as engine, pytest.raises(duckdb.OutOfRangeException):
        engine.execute("SELECT sum(amount_nano) FROM read_parquet(?)", [names])
    lines = sum_up(tmp_path, ArchiveSelection(EVERYTHING, files, FIRST_DAY, LAST_DAY), AnalysisKey.CHIP)
    assert fold(lines) == expect(posted, (AnalysisKey.CHIP,))


def sees(scope: Scope, each: PostedRecord) -> bool:
    match scope:
        case OrganizationScope(organization_id):
            return each.record.context.organization_id == organization_id
        case ProviderScope(provider_id):
            return each.record.context.provider_id == provider_id
        case PlatformScope():
            return True


@pytest.mark.parametrize(
    "scope",
    [
        EVERYTHING,
        *map(OrganizationScope, ORGANIZATION_IDS),
        *map(ProviderScope, PROVIDER_IDS),
        OrganizationScope(OrganizationId(PROVIDER_IDS[0])),
    ],
)
def test_only_what_the_scope_sees_is_summed(tmp_path: Path, scope: Scope) -> None:
    random = Random(3)
    posted = [create_posted(random, EntryId(create_id())) for _ in range(200)]
    files = write_archive(tmp_path, posted)
    keys = (AnalysisKey.ORGANIZATION, AnalysisKey.PROVIDER)
    lines = sum_up(tmp_path, ArchiveSelection(scope, files, FIRST_DAY, LAST_DAY), *keys)
    assert fold(lines) == expect([each for each in posted if sees(scope, each)], keys)


def test_only_days_asked_for_are_summed(tmp_path: Path) -> None:
    random = Random(4)
    posted = [create_posted(random, EntryId(create_id())) for _ in range(100)]
    files = write_archive(tmp_path, posted)
    day = LAST_DAY - timedelta(days=1)
    lines = sum_up(tmp_path, ArchiveSelection(EVERYTHING, files, day, day), AnalysisKey.DAY)
    assert fold(lines) == expect([each for each in posted if each.record.day == day], (AnalysisKey.DAY,))
    assert sum_up(tmp_path, ArchiveSelection(EVERYTHING, [], day, day), AnalysisKey.DAY) == []


def test_too_many_lines_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write_archive(tmp_path, [create_posted(Random(1), EntryId(create_id())) for _ in range(50)])
    selection = ArchiveSelection(EVERYTHING, files, FIRST_DAY, LAST_DAY)
    count = len(sum_up(tmp_path, selection, AnalysisKey.HOUR))
    monkeypatch.setattr(archive_query, "ANALYSIS_LINES_MAX", count)
    assert len(sum_up(tmp_path, selection, AnalysisKey.HOUR)) == count
    monkeypatch.setattr(archive_query, "ANALYSIS_LINES_MAX", count - 1)
    with pytest.raises(LimitExceeded):
        sum_up(tmp_path, selection, AnalysisKey.HOUR)


def test_file_that_is_gone_is_told(tmp_path: Path) -> None:
    files = write_archive(tmp_path, [create_posted(Random(1), EntryId(create_id()))])
    (tmp_path / files[0].name).unlink()
    with pytest.raises(StorageUnavailable):
        sum_up(tmp_path, ArchiveSelection(EVERYTHING, files, FIRST_DAY, LAST_DAY), AnalysisKey.DAY)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
        "INSTALL httpfs",
        "SET threads = 1",
    ],
)
def test_engine_does_nothing_but_read_the_archive(tmp_path: Path, statement: str) -> None:
    with open_engine(tmp_path) as engine, pytest.raises(duckdb.Error):
        engine.execute(statement)
