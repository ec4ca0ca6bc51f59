"""Reads the archive with DuckDB, in this process: exact sums by any keys, and records for an export.

Values go in as parameters, a scope among them; only names that this file spells out go into the text. Sums are integers
of 128 bits: DuckDB refuses to let one overflow, and then the sum is made of two halves.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import duckdb

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope, Scope
from keisan.domain.archive import AnalysisKey, AnalysisLine
from keisan.domain.errors import LimitExceeded, StorageUnavailable
from keisan.domain.limits import ANALYSIS_LINES_MAX, ANALYSIS_MEMORY_BYTES_MAX
from keisan.domain.usage import EPOCH
from keisan.storage.base_archive import ArchiveSelection
from keisan.storage.usage_table import QUANTITY_COLUMNS

THREADS_MAX = 4
HOUR_US = 3_600_000_000
HALF = 10**18
KEY_COLUMNS: Mapping[AnalysisKey, str] = {
    AnalysisKey.DAY: "day",
    # As a number, for a time's own functions would ask in which zone.
    AnalysisKey.HOUR: f"epoch_us(admitted_at) // {HOUR_US}",
    AnalysisKey.ORGANIZATION: "organization_id",
    AnalysisKey.PROJECT: "project_id",
    AnalysisKey.KEY: "key_id",
    AnalysisKey.MODEL: "model_id",
    AnalysisKey.PROVIDER: "provider_id",
    AnalysisKey.SITE: "site_id",
    AnalysisKey.CHIP: "chip",
    AnalysisKey.USAGE_SOURCE: "usage_source",
    AnalysisKey.OUTCOME: "outcome",
    AnalysisKey.SURFACE: "surface",
}
assert set(KEY_COLUMNS) == set(AnalysisKey)
# High and low part, the high one in units of HALF.
AMOUNT_SUM = "0, sum(amount_nano)"
# A record's amount is below 10^36, so each half holds the sum of more records than there will ever be.
AMOUNT_HALVES = (
    f"sum(CAST(amount_nano AS HUGEINT) // CAST({HALF} AS HUGEINT)), "
    f"sum(CAST(amount_nano AS HUGEINT) % CAST({HALF} AS HUGEINT))"
)


@contextmanager
def open_engine(root: Path, *, has_ids: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an engine of its own that reads nothing but the archive and keeps nothing.

    With `has_ids`, ids leave it as ids where they would be text.
    """
    settings: dict[str, str | bool | int | float | list[str]] = {
        "threads": THREADS_MAX,
        "memory_limit": f"{ANALYSIS_MEMORY_BYTES_MAX}B",
        "temp_directory": "",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "arrow_lossless_conversion": has_ids,
    }
    with duckdb.connect(":memory:", config=settings) as engine:
        engine.execute("SET allowed_directories = ?", [[str(root)]])
        # Last, for they shut what the others need.
        for closed in ("enable_external_access = false", "lock_configuration = true"):
            engine.execute(f"SET {closed}")
        yield engine


def limit_to_scope(scope: Scope) -> tuple[str, list[UUID]]:
    """Return the condition on the rows that a scope sees, and its parameters."""
    match scope:
        case PlatformScope():
            return "true", []
        case OrganizationScope(organization_id):
            return "organization_id = ?", [organization_id]
        case ProviderScope(provider_id):
            return "provider_id = ?", [provider_id]


def select_records(root: Path, selection: ArchiveSelection) -> tuple[str, list[object]]:
    """Return what stands after SELECT's columns, with its parameters."""
    condition, owner = limit_to_scope(selection.scope)
    names = [str(root / each.name) for each in selection.files]
    text = f"FROM read_parquet(?, hive_partitioning = false) WHERE day BETWEEN ? AND ? AND {condition}"
    return text, [names, selection.since, selection.until, *owner]


def sum_records(
    engine: duckdb.DuckDBPyConnection, root: Path, selection: ArchiveSelection, keys: Sequence[AnalysisKey]
) -> list[AnalysisLine]:
    """Return exact sums by these keys and currency; raises LimitExceeded for too many, StorageUnavailable."""
    if not selection.files:
        return []
    rest, values = select_records(root, selection)
    try:
        try:
            rows = engine.execute(write_sum(keys, AMOUNT_SUM, rest), values).fetchall()
        except duckdb.OutOfRangeException:
            rows = engine.execute(write_sum(keys, AMOUNT_HALVES, rest), values).fetchall()
    except duckdb.Error as fault:
        raise StorageUnavailable("the archive cannot be read now", str(fault)) from fault
    if len(rows) > ANALYSIS_LINES_MAX:
        raise LimitExceeded(f"this analysis has more than {ANALYSIS_LINES_MAX} lines; ask for fewer days or keys")
    return [_read_line(row, keys) for row in rows]


def write_sum(keys: Sequence[AnalysisKey], amount: str, rest: str) -> str:
    """Return the statement; all texts are spelled out in this file."""
    groups = [*(KEY_COLUMNS[key] for key in keys), "currency"]
    quantities = [f"sum({name})" for name in QUANTITY_COLUMNS.values()]
    columns = ", ".join([*groups, "count(*)", *quantities, amount])
    places = ", ".join(str(place + 1) for place in range(len(groups)))
    return f"SELECT {columns} {rest} GROUP BY {places} ORDER BY {places} LIMIT {ANALYSIS_LINES_MAX + 1}"  # see above


def _read_line(row: Sequence[object], keys: Sequence[AnalysisKey]) -> AnalysisLine:
    own = iter(row)
    group = {key: _show_value(key, next(own)) for key in keys}
    currency, call_count = str(next(own)), _read_integer(next(own))
    found = {token_class: next(own) for token_class in QUANTITY_COLUMNS}
    quantities = {token_class: _read_integer(count) for token_class, count in found.items() if count is not None}
    amount_nano = _read_integer(next(own)) * HALF + _read_integer(next(own))
    return AnalysisLine(group, currency, call_count, quantities, amount_nano)


def _read_integer(value: object) -> int:
    """Return what DuckDB counts with as an integer; a float would be a sum that is not exact."""
    assert not isinstance(value, float)
    return int(str(value))


def _show_value(key: AnalysisKey, value: object) -> str:
    if key is AnalysisKey.HOUR:
        return f"{EPOCH + timedelta(hours=_read_integer(value)):%Y-%m-%dT%H:00:00Z}"
    return str(value)
